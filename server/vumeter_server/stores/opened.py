"""What an opened store gives to the assembly, whichever it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from vumeter_server.access.audit import AuditLog
from vumeter_server.access.store import (
    DeletedOrganizations,
    KeyLookup,
    OrganizationData,
    SignInCodes,
)
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.custom_metrics.usage_store import UsageStore
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.otlp.store import ExportStore
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.clock_guard import ClockGuard, ClockRecordStore
from vumeter_server.runtime.settings import Settings, read_store_password
from vumeter_server.runtime.store_address import SqliteAddress
from vumeter_server.simulation.store import SimulationStore
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.readings import Gauge, Read

Work: TypeAlias = Callable[[], Coroutine[Any, Any, NoReturn]]


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricStores:
    """The stores of custom metrics and of what exporters send, with what they do beside calls."""

    store: MetricStore
    usage: UsageStore
    exports: ExportStore
    background: Sequence[Work]
    recorded: Sequence[OrganizationData]
    read: Mapping[Gauge, Read] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedStores:
    """All stores on one database.

    `version` is that of the storage engine, for the log and own metrics. `live` gives None where
    there are no live metrics.
    """

    version: str
    keys: KeyLookup
    audit: AuditLog
    deleted: DeletedOrganizations
    sign_in: SignInCodes
    clock_records: ClockRecordStore
    custom_metrics: Callable[[ClockGuard], Awaitable[MetricStores]]
    live_metrics: Callable[[str], Awaitable[LiveStore | None]]
    """Is given the id of this start of the service."""
    simulation: SimulationStore
    is_damaged: Callable[[], bool] = lambda: False
    read: Mapping[Gauge, Read] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def open_stores(
    settings: Settings,
    clock: Clock,
    instruments: Instruments,
    on_progress: Callable[[int, int], None],
) -> AsyncIterator[OpenedStores]:
    """Open what VUMETER_STORE names.

    Raises DatabaseError or StartError, with one line for the operator.
    """
    address = settings.store_address
    if isinstance(address, SqliteAddress):
        from vumeter_server.stores.on_sqlite import opened_sqlite  # noqa: PLC0415

        async with opened_sqlite(settings, clock, instruments, on_progress) as stores:
            yield stores
    else:
        # Its packages are an extra.
        from vumeter_server.stores.packages import require_packages  # noqa: PLC0415

        require_packages()
        from vumeter_server.stores.on_clickhouse import opened_cluster  # noqa: PLC0415

        password = read_store_password(settings)
        async with opened_cluster(settings, address, password, clock, instruments) as stores:
            yield stores
