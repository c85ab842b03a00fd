"""The stores that a migration reads or writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vumeter_server.access.migration_store import AccessMigrationStore
from vumeter_server.custom_metrics.migration_store import MetricMigrationStore
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.demo.record import DemoMigrationStore
from vumeter_server.live_metrics.migration_store import LiveMigrationSource, LiveMigrationTarget
from vumeter_server.otlp.store import ExportStore
from vumeter_server.simulation.store import SimulationStore


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationStores:
    """All stores on one database.

    Attributes:
        name: what VUMETER_STORE would be, without what does not say which store it is.
        live: reads live metrics.
        live_target: writes them; None where the store is compared only, or is the source.
        demo: which demo data was loaded.
        settle: does what a server does beside recording, so that what is written does not pile up.
    """

    name: str
    access: AccessMigrationStore
    points: MetricStore
    metrics: MetricMigrationStore
    exports: ExportStore
    simulation: SimulationStore
    live: LiveMigrationSource
    live_target: LiveMigrationTarget | None
    demo: DemoMigrationStore
    settle: Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationInBoth:
    """An organization in the store that is copied and in the one that it is copied into.

    Attributes:
        organization: its name.
        source_id, target_id: its number in each store.
    """

    source: MigrationStores
    target: MigrationStores
    organization: str
    source_id: int
    target_id: int
