"""What an opened store gives to the assembly, whichever it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
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
from vumeter_server.runtime.clock_guard import ClockGuard, ClockRecordStore
from vumeter_server.simulation.store import SimulationStore
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
class LiveStores:
    """The store of live metrics, with what it does beside calls."""

    store: LiveStore
    background: Sequence[Work] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedStores:
    """All stores on one database.

    `version` is that of the storage engine, for the log; `build` the same by its label, for own
    metrics. `is_damaged` says whether damage was met since the start.
    """

    version: str
    build: Mapping[str, str]
    keys: KeyLookup
    audit: AuditLog
    deleted: DeletedOrganizations
    sign_in: Callable[[ClockGuard], SignInCodes]
    clock_records: ClockRecordStore
    custom_metrics: Callable[[ClockGuard], Awaitable[MetricStores]]
    live_metrics: Callable[[str, int], Awaitable[LiveStores]]
    """Gets the id of this start of the service, and from when on its calls count."""
    simulation: SimulationStore
    is_damaged: Callable[[], bool]
    read: Mapping[Gauge, Read] = field(default_factory=dict)
