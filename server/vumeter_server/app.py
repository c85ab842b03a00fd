"""The only assembly: settings, database, stores, services, server; and their orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog
from google.protobuf.descriptor import ServiceDescriptor

from vumeter_server.access.authenticator import Authenticator
from vumeter_server.access.sqlite.store import SqliteKeyLookup
from vumeter_server.api.forwarding import Forwarding
from vumeter_server.api.pipeline import Pipeline
from vumeter_server.api.server import CLOCK, STORAGE, Server
from vumeter_server.api.servicers import Servicer
from vumeter_server.beside_families import servicers_beside_families
from vumeter_server.custom_metrics.deletion import Deletion
from vumeter_server.custom_metrics.grpc_api import CustomMetricsService
from vumeter_server.custom_metrics.ingest import Recording
from vumeter_server.custom_metrics.query import Queries
from vumeter_server.custom_metrics.rest_api import CustomMetricsRestService
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest.exported import ExportRecorder
from vumeter_server.live_metrics.grpc_api import LiveMetricsService
from vumeter_server.live_metrics.ingest import EventIngest
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.maintenance import LiveMaintenance
from vumeter_server.live_metrics.query import LiveQueries
from vumeter_server.live_metrics.rest_api import LiveMetricsRestService
from vumeter_server.live_metrics.sqlite import SqliteLiveStore
from vumeter_server.otlp.grpc_api import OtlpMetricsService, OtlpService
from vumeter_server.otlp.ingest import Exports, known_exporters
from vumeter_server.otlp.rest_api import OtlpRestService
from vumeter_server.otlp.sqlite import SqliteExportStore
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.runtime.clock_guard import CHECKED_EVERY_SECONDS, ClockGuard, ClockKeeping
from vumeter_server.runtime.memory import keep_heap_small, keep_what_is_loaded
from vumeter_server.runtime.periodic import Background, BackgroundEnded, run_periodically
from vumeter_server.runtime.settings import Settings
from vumeter_server.simulation.grpc_api import SimulationService
from vumeter_server.simulation.rest_api import SimulationRestService
from vumeter_server.simulation.sqlite import SqliteSimulationStore
from vumeter_server.sqlite import SQLITE_VERSION, Readers, Writer, open_database
from vumeter_server.sqlite.clock_record import SqliteClockRecordStore

LAST_USED_SAVED_EVERY_SECONDS = 5.0
# A thread that wants the interpreter gets it after so long. Python's own 5 ms, several times for
# each call that goes from the loop to a reader and back, are what a call would wait beside others.
THREADS_SWITCH_AFTER_SECONDS = 0.0001

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Foundation:
    """What every family is built on.

    A process that does not write answers queries alone: it does no background work, and whatever
    it is told to record it passes on.
    """

    settings: Settings
    epoch_id: str
    clock: Clock
    guard: ClockGuard
    """Says whether the clock is trusted with deletion."""
    writer: Writer
    readers: Readers
    on_progress: Callable[[int, int], None]
    """Is told how many of how many days of an earlier version's database are converted."""

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
    background: Sequence[Callable[[], Coroutine[Any, Any, NoReturn]]] = field(default=())
    forwarded: Sequence[ServiceDescriptor] = field(default=())
    """Services that only the process that writes can answer, in one that does not."""
    on_stopping: Callable[[], None] = lambda: None


async def families(foundation: Foundation) -> list[Family]:
    """Build every family on the foundation."""
    return [
        await _custom_metrics(foundation),
        await _live_metrics(foundation),
        _simulation(foundation),
    ]


async def _custom_metrics(foundation: Foundation) -> Family:
    store = SqliteMetricStore(
        foundation.writer,
        foundation.readers,
        foundation.clock,
        retention_days=foundation.settings.retention_days,
        flush_at_points=foundation.settings.flush_at_points,
        deletion_us=foundation.guard.deletion_us,
    )
    if foundation.writes:
        await store.upgrade(foundation.on_progress)
    queries = Queries(store=store)
    recording = Recording(store=store, clock=foundation.clock)
    deletion = Deletion(store=store)
    recorder, deletion_us = ExportRecorder(store.recorder), foundation.guard.deletion_us
    export_store = SqliteExportStore(
        foundation.writer, foundation.readers, recorder, deletion_us=deletion_us
    )
    exports = Exports(store=export_store, clock=foundation.clock, exporters=known_exporters())
    return Family(
        servicers=[
            CustomMetricsService(queries=queries, recording=recording, deletion=deletion),
            CustomMetricsRestService(queries=queries, recording=recording, deletion=deletion),
            OtlpMetricsService(exports=exports),
            OtlpRestService(exports=exports),
            OtlpService(exports=exports),
        ],
        background=[store.run, export_store.run],
    )


async def _live_metrics(foundation: Foundation) -> Family:
    if not foundation.writes:
        # The live metrics are in the memory of the process that writes.
        return Family(
            servicers=[], forwarded=[LiveMetricsService.service, LiveMetricsRestService.service]
        )
    store = await SqliteLiveStore.open(
        foundation.writer, foundation.readers, foundation.clock, foundation.epoch_id
    )
    view = await LiveView.of(store)
    queries = LiveQueries(store=store, view=view)
    ingest = EventIngest(store=store, clock=foundation.clock)
    maintenance = LiveMaintenance(
        store=store,
        guard=foundation.guard,
        call_ttl_us=foundation.settings.call_ttl_us,
        retention_days=foundation.settings.retention_days,
    )
    return Family(
        servicers=[LiveMetricsService(queries, ingest), LiveMetricsRestService(queries, ingest)],
        background=[periodic.run_forever for periodic in maintenance.steps],
        on_stopping=view.close,
    )


def _simulation(foundation: Foundation) -> Family:
    store = SqliteSimulationStore(foundation.readers, foundation.writer)
    return Family(
        servicers=[SimulationService(store), SimulationRestService(store)],
        background=[store.run_maintenance],
    )


async def serve(
    settings: Settings,
    *,
    on_ready: Callable[[int], None],
    stop: asyncio.Event | None = None,
    clock: Clock = system_clock,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Serve until SIGINT, SIGTERM or `stop`; `on_ready` is told the port once calls are answered.

    `on_progress` is told how many of how many days are done where the database of an earlier
    version has to be converted.

    Raises DatabaseError or OSError, with one line for the operator, if it cannot begin, and
    BackgroundEnded if work that runs beside the calls ended by itself.
    """
    stopping = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):
            loop.add_signal_handler(signal_number, stopping.set)
    keep_heap_small()
    sys.setswitchinterval(THREADS_SWITCH_AFTER_SECONDS)
    ended: list[str] = []

    def on_background_end(name: str) -> None:
        ended.append(name)
        stopping.set()

    async with running(
        settings, clock=clock, on_progress=on_progress, on_background_end=on_background_end
    ) as port:
        keep_what_is_loaded()
        on_ready(port)
        _log.info("started", port=port, storage_version=SQLITE_VERSION)
        await stopping.wait()
        _log.info("stopping")
    if ended:
        raise BackgroundEnded(ended[0])


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_background_end: Callable[[str], None] = lambda name: None,
) -> AsyncIterator[int]:
    """Run a server for the length of the context, which is given its port.

    When background work ends by itself, health says NOT_SERVING and `on_background_end` is told
    which: the server would go on answering while nothing is flushed, closed or dropped any more.
    """
    database = open_database(settings.db)
    claim = None if settings.writer_address else database.lock_for_serving()
    forwarding = Forwarding(settings.writer_address) if settings.writer_address else None
    writer, readers = database.writer(), database.readers()
    try:
        keys = SqliteKeyLookup(readers, writer)
        admin_token = settings.admin_token.get_secret_value() if settings.admin_token else ""
        authenticator = Authenticator(keys, admin_token, clock)
        clock_records = SqliteClockRecordStore(readers, writer)
        guard = ClockGuard(clock, await clock_records.read())
        foundation = Foundation(
            settings=settings,
            epoch_id=settings.epoch_id or uuid.uuid4().hex,
            clock=clock,
            guard=guard,
            writer=writer,
            readers=readers,
            on_progress=on_progress,
        )
        built = await families(foundation)
        server = Server(
            Pipeline(
                authenticator=authenticator,
                query_timeout_seconds=settings.query_timeout_seconds,
            ),
            [
                *(each for family in built for each in family.servicers),
                *servicers_beside_families(keys),
            ],
            reflection=settings.reflection,
            forwarding=forwarding,
            forwarded=[service for family in built for service in family.forwarded],
        )
        port = server.listen(f"{settings.host}:{settings.grpc_port}")
        await server.start()

        def on_end(name: str) -> None:
            server.report_not_serving()
            on_background_end(name)

        background = Background(on_end)
        for family in built:
            for work in family.background if foundation.writes else ():
                background.start(work.__qualname__, work())
        background.start("save_last_used", _save_last_used(authenticator))
        if foundation.writes:
            background.start("keep_clock", _keep_clock(ClockKeeping(guard, clock_records)))
        details = {STORAGE: lambda: not database.damage.is_met, CLOCK: lambda: guard.is_trusted}
        background.start("report_health", server.keep_reporting(details))
        try:
            yield port
        finally:
            await server.stop(on_notice=[family.on_stopping for family in built])
            await background.stop()
            await authenticator.save_last_used()
    finally:
        await asyncio.to_thread(writer.close)
        await asyncio.to_thread(readers.close)
        if forwarding is not None:
            await forwarding.close()
        if claim is not None:
            os.close(claim)


async def _save_last_used(authenticator: Authenticator) -> NoReturn:
    await run_periodically(
        "save_last_used",
        authenticator.save_last_used,
        every_seconds=LAST_USED_SAVED_EVERY_SECONDS,
    )


async def _keep_clock(keeping: ClockKeeping) -> NoReturn:
    await run_periodically("clock", keeping.step, every_seconds=CHECKED_EVERY_SECONDS)
