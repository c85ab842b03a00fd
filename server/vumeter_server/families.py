"""The assembly of the families: their stores, use cases and services, on what all are built on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor

from vumeter_server.access.authenticator import Caller
from vumeter_server.access.rates import RateLimits
from vumeter_server.access.store import OrganizationData
from vumeter_server.api.servicers import Servicer
from vumeter_server.custom_metrics.deletion import Deletion
from vumeter_server.custom_metrics.export import Export
from vumeter_server.custom_metrics.grpc_api import CustomMetricsService
from vumeter_server.custom_metrics.ingest import Recording
from vumeter_server.custom_metrics.query import Queries
from vumeter_server.custom_metrics.rejections import RejectionCounter
from vumeter_server.custom_metrics.rest_api import CustomMetricsRestService
from vumeter_server.custom_metrics.usage import Usage
from vumeter_server.custom_metrics.usage_store import RecordingRejectionReason
from vumeter_server.live_metrics.grpc_api import LiveMetricsService
from vumeter_server.live_metrics.ingest import EventIngest
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.maintenance import LiveMaintenance
from vumeter_server.live_metrics.own_metrics import exposition
from vumeter_server.live_metrics.query import LiveQueries
from vumeter_server.live_metrics.rest_api import LiveMetricsRestService
from vumeter_server.otlp.grpc_api import OtlpMetricsService, OtlpService
from vumeter_server.otlp.ingest import Exports, known_exporters
from vumeter_server.otlp.rest_api import OtlpRestService
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.clock_guard import ClockGuard
from vumeter_server.runtime.settings import Settings
from vumeter_server.simulation.grpc_api import SimulationService
from vumeter_server.simulation.rest_api import SimulationRestService
from vumeter_server.stores.opened import OpenedStores
from vumeter_server.telemetry import readings
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.readings import Gauge, Read


@dataclass(frozen=True, kw_only=True, slots=True)
class Foundation:
    """What every family is built on.

    A process that does not write answers queries alone: it does no background work on what is
    stored, and whatever it is asked to record it forwards.
    """

    settings: Settings
    epoch_id: str
    clock: Clock
    guard: ClockGuard
    """Says whether the clock is trusted with deletion."""
    rates: RateLimits
    stores: OpenedStores
    instruments: Instruments
    """Where recording is counted."""

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes."""
        return not self.settings.writer_address


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What a family gives to the server: its services, and the work it does beside calls.

    A background task runs until it is cancelled, after the last call was answered. `on_stopping`
    ends what would otherwise stay open for as long as a caller likes.
    """

    servicers: Sequence[Servicer]
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = field(default=())
    recorded: Sequence[OrganizationData] = field(default=())
    """Stores that keep what organizations record."""
    forwarded: Sequence[ServiceDescriptor] = field(default=())
    """Services that only the process that writes can answer, in one that does not."""
    on_stopping: Callable[[], None] = lambda: None
    read: Mapping[Gauge, Read] = field(default_factory=dict)
    """How own metrics of the family are read at each scrape."""
    exposition: Callable[[bool], str] = lambda openmetrics: ""
    """Further own metrics, as text."""
    on_limited: Callable[[Caller], None] = lambda caller: None
    """Is called for a call beyond the requests per second of its key, whatever it is of."""


async def assemble(foundation: Foundation) -> list[Family]:
    """Build every family on the foundation."""
    return [
        await _custom_metrics(foundation),
        await _live_metrics(foundation),
        _simulation(foundation),
    ]


async def _custom_metrics(foundation: Foundation) -> Family:
    stores = await foundation.stores.custom_metrics(foundation.guard)
    store, audit = stores.store, foundation.stores.audit
    clock, counted = foundation.clock, foundation.instruments
    rejections = RejectionCounter(
        stores.usage, clock, counted.rejected, foundation.guard.deletion_us
    )
    use_cases: dict[str, Any] = {
        "queries": Queries(store=store),
        "recording": Recording(
            store=store,
            clock=clock,
            rejections=rejections,
            rates=foundation.rates,
            on_recorded=counted.recorded_points.inc,
        ),
        "deletion": Deletion(store=store, audit=audit),
        "usage": Usage(store=stores.usage, keys=foundation.stores.keys, clock=clock),
    }
    exporters = known_exporters()
    exports = Exports(
        store=stores.exports,
        clock=clock,
        exporters=exporters,
        counts=rejections,
        rates=foundation.rates,
        on_recorded=counted.recorded_points.inc,
    )
    return Family(
        servicers=[
            CustomMetricsService(**use_cases, export=Export(store=store, audit=audit)),
            CustomMetricsRestService(**use_cases),
            OtlpMetricsService(exports=exports),
            OtlpRestService(exports=exports),
            OtlpService(exports=exports),
        ],
        background=[rejections.run, *stores.background],
        on_limited=lambda caller: rejections.add(caller, RecordingRejectionReason.LIMIT, points=0),
        recorded=stores.recorded,
        read=stores.read,
    )


async def _live_metrics(foundation: Foundation) -> Family:
    if not foundation.writes:
        # The live metrics are in the memory of the process that writes.
        return Family(
            servicers=[], forwarded=[LiveMetricsService.service, LiveMetricsRestService.service]
        )
    call_ttl_us = foundation.settings.call_ttl_us
    # A clock that is wrong by years must not keep everything from being counted.
    stores = await foundation.stores.live_metrics(
        foundation.epoch_id, foundation.guard.trusted_us - call_ttl_us
    )
    store = stores.store
    view = await LiveView.of(store)
    audit = foundation.stores.audit
    queries = LiveQueries(store=store, view=view, audit=audit)
    ingest = EventIngest(
        store=store,
        clock=foundation.clock,
        on_recorded=foundation.instruments.recorded_events.inc,
    )
    maintenance = LiveMaintenance(
        store=store,
        audit=audit,
        guard=foundation.guard,
        call_ttl_us=call_ttl_us,
        retention_days=foundation.settings.retention_days,
    )
    return Family(
        servicers=[LiveMetricsService(queries, ingest), LiveMetricsRestService(queries, ingest)],
        background=[
            *(periodic.run_forever for periodic in maintenance.steps),
            *stores.background,
        ],
        on_stopping=view.close,
        read={readings.WATCHERS: lambda: view.watchers},
        exposition=exposition(view, by_tenant=foundation.settings.metrics_by_tenant),
    )


def _simulation(foundation: Foundation) -> Family:
    store = foundation.stores.simulation
    return Family(
        servicers=[
            SimulationService(store, foundation.stores.audit),
            SimulationRestService(store),
        ],
        background=[store.run_maintenance] if foundation.writes else [],
        recorded=[store],
    )
