"""The stores that a migration reads or writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vumeter_server.access.migration_store import AccessMigrationStore
from vumeter_server.custom_metrics.migration_store import MetricMigrationStore
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.otlp.store import ExportStore
from vumeter_server.simulation.store import SimulationStore


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationStores:
    """All stores on one database.

    Attributes:
        name: what VUMETER_STORE would be, without what does not say which store it is.
        settle: does what a server does beside recording, so that what is written does not pile up.
    """

    name: str
    access: AccessMigrationStore
    points: MetricStore
    metrics: MetricMigrationStore
    exports: ExportStore
    simulation: SimulationStore
    settle: Callable[[], Awaitable[None]]
