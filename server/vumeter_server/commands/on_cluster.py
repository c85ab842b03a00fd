"""What commands do to a ClickHouse cluster. Any number of servers may run meanwhile, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeVar

from vumeter_server.access.clickhouse.administration import (
    ClickHouseKeyAdministration,
    ClickHouseLimitAdministration,
)
from vumeter_server.access.clickhouse.audit import ClickHouseAuditAdministration
from vumeter_server.access.clickhouse.organizations import Organizations
from vumeter_server.access.clickhouse.sign_in import ClickHouseSignInAdministration
from vumeter_server.access.clickhouse.store import ClickHouseDeletedOrganizations
from vumeter_server.access.erasure import LOOKS_EVERY_SECONDS, Erasure
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.clock_record import ClickHouseClockRecordStore
from vumeter_server.commands.organization_contents import (
    OrganizationContents,
    count_contents,
    count_keys,
)
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.custom_metrics.clickhouse.administration import (
    ClickHouseMetricAdministration,
)
from vumeter_server.custom_metrics.clickhouse.verification import find_problems
from vumeter_server.custom_metrics.questions import DeleteQuery, MetricInfo
from vumeter_server.demo.clickhouse import ClickHouseDemoRecord
from vumeter_server.errors import DeadlineExceeded, Unavailable
from vumeter_server.live_metrics.clickhouse import ClickHouseLiveStore
from vumeter_server.live_metrics.clickhouse.verification import (
    find_problems as find_live_problems,
)
from vumeter_server.live_metrics.store import TenantContents
from vumeter_server.otlp.clickhouse import ClickHouseExportStore
from vumeter_server.otlp.mapping import AttributeMapping
from vumeter_server.otlp.store import Rejections
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.clock_guard import ClockRecord
from vumeter_server.simulation.clickhouse import ClickHouseSimulationStore
from vumeter_server.simulation.store import SimulationContents

T = TypeVar("T")

ERASES_FOR_SECONDS: Final = 60.0


class ClusterAdministration:
    """Implements Administration."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster
        self.keys = ClickHouseKeyAdministration(cluster)
        self.limits = ClickHouseLimitAdministration(cluster)
        self.sign_in = ClickHouseSignInAdministration(cluster)
        self.audit = ClickHouseAuditAdministration(cluster)
        self.organizations = _Organizations(cluster)
        self.metrics = _Metrics(cluster)
        self.points = _Points(cluster)
        self.otlp = _Otlp(cluster)
        self.run_tests = _RunTests(cluster)
        self.tenants = _Tenants(cluster)
        self.clock = _Clock(cluster)
        self.demo = ClickHouseDemoRecord(cluster)

    def problems(self) -> list[str]:
        """Return what of the logs does not agree."""

        async def find(clickhouse: ClickHouse) -> list[str]:
            store = ClickHouseMetricStore(clickhouse, system_clock)
            return [
                *await find_problems(clickhouse, store),
                *await find_live_problems(clickhouse),
            ]

        return self._cluster.run(find)


async def _number_of(clickhouse: ClickHouse, organization: str) -> int | None:
    found = await Organizations(clickhouse).named(organization)
    return None if found is None else found.organization_id


class _Organizations:
    """Implements OrganizationDeletion."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster
        self._keys = ClickHouseKeyAdministration(cluster)

    def count(self, organization: str, organization_id: int) -> OrganizationContents:
        """Count what goes with an organization."""
        keys = count_keys(self._keys, organization)
        return self._cluster.run(
            lambda clickhouse: count_contents(
                keys,
                ClickHouseMetricStore(clickhouse, system_clock),
                ClickHouseSimulationStore(clickhouse),
                organization_id,
            )
        )

    def delete(self, organization: str) -> bool:
        """Delete an organization, and erase what it recorded, as servers do that run."""
        organization_id = self._keys.delete_organization(organization)
        if organization_id is None:
            return False

        async def erase(clickhouse: ClickHouse) -> None:
            deleted = ClickHouseDeletedOrganizations(clickhouse, system_clock)
            metrics = ClickHouseMetricStore(clickhouse, system_clock)
            exports = ClickHouseExportStore(metrics.log, system_clock)
            simulation = ClickHouseSimulationStore(clickhouse)
            erasure = Erasure(deleted, [metrics, exports, simulation])
            give_up_at = asyncio.get_running_loop().time() + ERASES_FOR_SECONDS
            while True:
                # At first: by then no server takes its keys any more.
                await asyncio.sleep(LOOKS_EVERY_SECONDS)
                try:
                    # Servers erase at the same time, and may be first.
                    if organization_id in await deleted.unerased():
                        await erasure.erase(organization_id)
                except (Unavailable, DeadlineExceeded):
                    if asyncio.get_running_loop().time() > give_up_at:
                        raise
                else:
                    return

        self._cluster.run(erase)
        return True


class _Metrics(ClickHouseMetricAdministration):
    """Implements MetricAdministration, with the audit."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        super().__init__(cluster, _number_of, system_clock)
        self._audit = ClickHouseAuditAdministration(cluster)
        self._keys = ClickHouseKeyAdministration(cluster)

    def delete_metric(self, organization: str, name: str) -> bool:
        """Delete a metric with its points."""
        known: list[MetricInfo] = self.list_metrics(organization) or []
        if name not in {metric.name for metric in known}:
            return False
        number = self._keys.organization_id(organization)
        self._audit.note("metric.delete", organization_id=number, target=name)
        return super().delete_metric(organization, name)


class _Points:
    """Implements PointAdministration."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster

    def count_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Count the points that a query is about."""
        return self._cluster.run(
            lambda clickhouse: ClickHouseMetricStore(clickhouse, system_clock).count_points(
                organization_id, query
            )
        )

    def delete_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Hide the points; a server removes them."""
        return self._cluster.run(
            lambda clickhouse: ClickHouseMetricStore(clickhouse, system_clock).delete_points(
                organization_id, query
            )
        )


class _Otlp:
    """Implements OtlpAdministration."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster
        self._keys = ClickHouseKeyAdministration(cluster)
        self._audit = ClickHouseAuditAdministration(cluster)

    def mapping(self, organization: str) -> AttributeMapping | None:
        """Return how an organization maps attributes."""
        return self._of(organization, lambda store, number: store.read_mapping(number))

    def set_mapping(self, organization: str, mapping: AttributeMapping | None) -> bool:
        """Change a mapping, None for the default."""
        number = self._keys.organization_id(organization)
        if number is None:
            return False
        action = "otlp.set_mapping" if mapping is not None else "otlp.reset_mapping"
        self._audit.note(action, organization_id=number)
        self._of(organization, lambda store, number: store.set_mapping(number, mapping))
        return True

    def rejections(self, organization: str) -> Rejections | None:
        """Return what was rejected."""
        return self._of(organization, lambda store, number: store.rejections(number))

    def _of(
        self, organization: str, ask: Callable[[ClickHouseExportStore, int], Awaitable[T]]
    ) -> T | None:
        async def run(clickhouse: ClickHouse) -> T | None:
            number = await _number_of(clickhouse, organization)
            if number is None:
                return None
            log = ClickHouseMetricStore(clickhouse, system_clock).log
            return await ask(ClickHouseExportStore(log, system_clock), number)

        return self._cluster.run(run)


class _RunTests:
    """Implements RunTestAdministration."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster

    def contents(self, organization_id: int, names: Collection[str]) -> SimulationContents:
        """Return what `delete` would delete."""
        return self._cluster.run(
            lambda clickhouse: ClickHouseSimulationStore(clickhouse).contents(
                organization_id, names
            )
        )

    def delete(self, organization_id: int, names: Collection[str]) -> SimulationContents:
        """Delete run tests with their executions and calls."""
        return self._cluster.run(
            lambda clickhouse: ClickHouseSimulationStore(clickhouse).delete_run_tests(
                organization_id, names
            )
        )


class _Tenants:
    """Implements TenantAdministration."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster

    def contents(self, tenant_id: str) -> TenantContents | None:
        """Return what a tenant has, None if it is not known."""

        async def count(clickhouse: ClickHouse) -> TenantContents | None:
            store = await ClickHouseLiveStore.beside(clickhouse, system_clock)
            return await store.tenant_contents(tenant_id)

        return self._cluster.run(count)

    def delete(self, tenant_id: str) -> TenantContents:
        """Delete a tenant, and wait until nothing is left."""

        async def delete(clickhouse: ClickHouse) -> TenantContents:
            store = await ClickHouseLiveStore.beside(clickhouse, system_clock)
            deleted = await store.delete_tenant(tenant_id)
            return deleted or TenantContents(events=0, calls=0)

        return self._cluster.run(delete)


class _Clock:
    """Implements ClockAdministration."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster
        self._audit = ClickHouseAuditAdministration(cluster)

    def record(self) -> ClockRecord | None:
        """Return what was saved last, None if no time was."""
        return self._cluster.run(lambda clickhouse: ClickHouseClockRecordStore(clickhouse).read())

    def accept(self) -> None:
        """Say that the clock is right."""
        self._audit.note("clock.accept")
        self._cluster.run(
            lambda clickhouse: ClickHouseClockRecordStore(clickhouse).accept(system_clock())
        )
