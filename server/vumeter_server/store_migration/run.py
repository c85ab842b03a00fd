"""The whole of a migration: every organization, part by part, compared at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.patience import patiently
from vumeter_server.store_migration.access import AccessMigration
from vumeter_server.store_migration.demo import DemoMigration
from vumeter_server.store_migration.differences import Difference, settled
from vumeter_server.store_migration.live import LiveMigration
from vumeter_server.store_migration.metrics import MetricMigration
from vumeter_server.store_migration.points import PointMigration
from vumeter_server.store_migration.simulation import SimulationMigration
from vumeter_server.store_migration.stores import MigrationStores, OrganizationInBoth

ROUNDS_WHILE_SERVING: Final = 1
ROUNDS_AT_THE_END: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationReport:
    """What an organization has, and how many points of it were recorded in the target now."""

    organization: str
    keys: int
    metrics: int
    points: int
    points_copied: int
    idempotency_keys: int
    exporter_series: int
    run_tests: int
    executions: int
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveReport:
    """What live metrics have, and how many events were recorded in the target now."""

    tenants: int = 0
    events: int = 0
    events_copied: int = 0


@dataclass(kw_only=True, slots=True)
class Report:
    """What was compared, and what differs."""

    organizations: list[OrganizationReport] = field(default_factory=list)
    live: LiveReport = field(default_factory=LiveReport)
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Shows how far a migration has come."""

    expect: Callable[[int], None] = lambda points: None
    """How many points there are about, before the first one is compared."""
    begin: Callable[[str], None] = lambda organization: None
    """Which organization comes next."""
    advance: Callable[[int], None] = lambda points: None
    """How many points more are compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """Makes the target what the source is.

    Attributes:
        rounds: how often a part is mended before what differs still is reported; 0 changes nothing.
    """

    source: MigrationStores
    target: MigrationStores
    clock: Clock
    rounds: int
    progress: Progress

    async def run(self) -> Report:
        """Copy and compare everything."""
        report = Report()
        access = AccessMigration(source=self.source, target=self.target)
        report.differences += await settled(access.organizations, rounds=self.rounds)
        ours = await patiently(self.source.access.organizations)
        theirs = {
            each.name: each.organization_id
            for each in await patiently(self.target.access.organizations)
        }
        total = 0
        for each in ours:
            total += sum((await self.source.metrics.days(each.organization_id)).values())
        self.progress.expect(total)
        for each in ours:
            if each.name in theirs:
                self.progress.begin(each.name)
                await self._copy(
                    report, each.name, len(each.keys), each.organization_id, theirs[each.name]
                )
        live = LiveMigration(source=self.source, target=self.target)
        self.progress.begin("live metrics")
        report.differences += await settled(live.compare, rounds=self.rounds)
        report.live = LiveReport(
            tenants=live.tenants_found,
            events=live.events_found,
            events_copied=live.events_recorded,
        )
        demo = DemoMigration(source=self.source, target=self.target)
        report.differences += await settled(demo.compare, rounds=self.rounds)
        report.differences += await settled(access.audit, rounds=self.rounds)
        return report

    async def _copy(
        self, report: Report, name: str, keys: int, source_id: int, target_id: int
    ) -> None:
        both = OrganizationInBoth(
            source=self.source,
            target=self.target,
            organization=name,
            source_id=source_id,
            target_id=target_id,
        )
        metrics = MetricMigration(both=both, clock=self.clock)
        points = PointMigration(both=both, clock=self.clock, on_points=self.progress.advance)
        simulation = SimulationMigration(both=both)
        found: list[Difference] = []
        found += await settled(metrics.catalog, rounds=self.rounds)
        found += await points.run(rounds=self.rounds)
        for step in (
            metrics.recordings,
            metrics.series_states,
            metrics.mapping,
            simulation.compare,
        ):
            found += await settled(step, rounds=self.rounds)
        report.differences += found
        report.organizations.append(
            OrganizationReport(
                organization=name,
                keys=keys,
                metrics=metrics.metrics,
                points=points.counts.found,
                points_copied=points.counts.recorded,
                idempotency_keys=metrics.recordings_found,
                exporter_series=metrics.series_found,
                run_tests=simulation.run_tests_found,
                executions=simulation.executions_found,
                calls=simulation.calls_found,
            )
        )
