"""What the commands ask of the store on ClickHouse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.custom_metrics.clickhouse.labels import answer_metrics
from vumeter_server.custom_metrics.clickhouse.store import ClickHouseMetricStore
from vumeter_server.custom_metrics.questions import MetricInfo
from vumeter_server.runtime.clock import Clock

T = TypeVar("T")

FindOrganization = Callable[[ClickHouse, str], Awaitable[int | None]]


class ClickHouseMetricAdministration:
    """Implements MetricAdministration."""

    def __init__(
        self, clickhouse: BlockingClickHouse, find: FindOrganization, clock: Clock
    ) -> None:
        """`find` returns the number of an organization by its name."""
        self._clickhouse = clickhouse
        self._find = find
        self._clock = clock

    def list_metrics(self, organization: str) -> list[MetricInfo] | None:
        """Return the metrics of an organization, by name."""

        async def listed(store: ClickHouseMetricStore, organization_id: int) -> list[MetricInfo]:
            return await store.log.catalogs.use(
                organization_id, lambda catalog: answer_metrics(catalog, are_used=False)
            )

        return self._of(organization, listed)

    def delete_metric(self, organization: str, name: str) -> bool:
        """Delete a metric with its points."""

        async def deleted(store: ClickHouseMetricStore, organization_id: int) -> bool:
            return await store.deletion.forget_metric(organization_id, name)

        return bool(self._of(organization, deleted))

    def _of(
        self, organization: str, work: Callable[[ClickHouseMetricStore, int], Awaitable[T]]
    ) -> T | None:
        """Return what `work` does with an organization; None if there is none of that name."""

        async def run(clickhouse: ClickHouse) -> T | None:
            organization_id = await self._find(clickhouse, organization)
            if organization_id is None:
                return None
            return await work(ClickHouseMetricStore(clickhouse, self._clock), organization_id)

        return self._clickhouse.run(run)
