"""The only assembly: settings, database, stores, services, server; and their orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

import structlog

from vumeter_server import families
from vumeter_server.access.authenticator import Authenticator
from vumeter_server.access.erasure import Erasure
from vumeter_server.access.rates import RateLimits
from vumeter_server.api.forwarding import Forwarding
from vumeter_server.api.observing import RequestMetrics, RequestTracing
from vumeter_server.api.pipeline import Pipeline
from vumeter_server.api.server import CLOCK, STORAGE, Server
from vumeter_server.api.tls import DynamicCredentials
from vumeter_server.beside_families import servicers_beside_families
from vumeter_server.custom_metrics.usage_store import RecordingRejectionReason
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.runtime.clock_guard import CHECKED_EVERY_SECONDS, ClockGuard, ClockKeeping
from vumeter_server.runtime.memory import keep_heap_small, keep_what_is_loaded
from vumeter_server.runtime.periodic import Background, BackgroundEnded, run_periodically
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.tls import tls_files
from vumeter_server.stores.choosing import open_stores
from vumeter_server.telemetry import readings
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.own_metrics import process_exposition, show
from vumeter_server.telemetry.readings import Gauge, Read
from vumeter_server.telemetry.scrape_server import ScrapeServer

if TYPE_CHECKING:
    from vumeter_server.telemetry.tracing import Tracing

LAST_USED_SAVED_EVERY_SECONDS = 5.0
# A thread that wants the interpreter gets it after so long. Python's own 5 ms, several times for
# each call that goes from the loop to a reader and back, are what a call would wait beside others.
THREADS_SWITCH_AFTER_SECONDS = 0.0001

_log = structlog.get_logger(__name__)


async def serve(
    settings: Settings,
    *,
    on_ready: Callable[[int], None],
    stop: asyncio.Event | None = None,
    clock: Clock = system_clock,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Serve until SIGINT, SIGTERM or `stop`; `on_ready` gets the port once calls are answered.

    `on_progress` gets how many of how many days are done where the database of an earlier
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

    When background work ends by itself, health says NOT_SERVING and `on_background_end` gets
    which: the server would go on answering while nothing is flushed, closed or dropped any more.
    """
    forwarding = Forwarding(settings.writer_address) if settings.writer_address else None
    tracings = _tracings(settings)
    instruments = Instruments(settings.worker, RecordingRejectionReason)
    async with contextlib.AsyncExitStack() as opened:
        stores = await opened.enter_async_context(
            open_stores(settings, clock, instruments, on_progress)
        )
        for tracing in tracings:
            opened.push_async_callback(asyncio.to_thread, tracing.close)
        if forwarding is not None:
            opened.push_async_callback(forwarding.close)
        admin_token = settings.admin_token.get_secret_value() if settings.admin_token else ""
        authenticator = Authenticator(stores.keys, admin_token, clock, settings.default_limits)
        rates = RateLimits()
        guard = ClockGuard(clock, await stores.clock_records.read())
        foundation = families.Foundation(
            settings=settings,
            epoch_id=settings.epoch_id or uuid.uuid4().hex,
            clock=clock,
            guard=guard,
            rates=rates,
            stores=stores,
            instruments=instruments,
        )
        built = await families.assemble(foundation)
        server = Server(
            Pipeline(
                authenticator=authenticator,
                query_timeout_seconds=settings.query_timeout_seconds,
                rates=rates,
                on_limited=[family.on_limited for family in built],
                observers=[
                    *([RequestMetrics(instruments)] if settings.has_own_metrics else []),
                    *map(RequestTracing, tracings),
                ],
            ),
            [
                *(each for family in built for each in family.servicers),
                *servicers_beside_families(stores.keys, stores.sign_in(guard)),
            ],
            reflection=settings.reflection,
            forwarding=forwarding,
            forwarded=[service for family in built for service in family.forwarded],
        )
        scraped: ScrapeServer | None = show(
            settings,
            process_exposition(
                instruments,
                _read(foundation, built),
                [family.exposition for family in built],
                stores.build,
            ),
        )
        if scraped is not None:
            opened.push_async_callback(asyncio.to_thread, scraped.close)
        port = _listen(server, settings)
        await server.start()

        def on_end(name: str) -> None:
            server.report_not_serving()
            on_background_end(name)

        background = Background(on_end)
        for family in built:
            for work in family.background:
                background.start(work.__qualname__, work())
        background.start("save_last_used", _save_last_used(authenticator))
        if foundation.writes:
            _start_work_of_writer(background, foundation, built)
        details = {STORAGE: lambda: not stores.is_damaged(), CLOCK: lambda: guard.is_trusted}
        background.start("report_health", server.keep_reporting(details))
        _log.info("started", port=port, storage_version=stores.version)
        try:
            yield port
        finally:
            await server.stop(on_notice=[family.on_stopping for family in built])
            await background.stop()
            await authenticator.save_last_used()


def _tracings(settings: Settings) -> Sequence[Tracing]:
    """Return what traces calls; nothing without a collector to send to."""
    if not settings.traces_endpoint:
        return []
    try:
        from vumeter_server.telemetry.tracing import Tracing  # noqa: PLC0415 - an extra
    except ImportError:
        raise StartError("VUMETER_TRACES_ENDPOINT needs pip install 'vumeter[tracing]'") from None
    return [Tracing(settings)]


def _start_work_of_writer(
    background: Background,
    foundation: families.Foundation,
    built: Sequence[families.Family],
) -> None:
    """Start what one process does for all."""
    stores = foundation.stores
    erasure = Erasure(stores.deleted, [store for family in built for store in family.recorded])
    background.start("erasure", erasure.run())
    keeping = ClockKeeping(foundation.guard, stores.clock_records)
    background.start("keep_clock", _keep_clock(keeping))


def _listen(server: Server, settings: Settings) -> int:
    """Listen on the port, and with TLS on a socket for `vumeter up` beside it."""
    files = tls_files(settings)
    port = server.listen(
        f"{settings.host}:{settings.grpc_port}",
        DynamicCredentials(files) if files is not None else None,
    )
    if settings.internal_socket:
        server.listen_inside(settings.internal_socket)
    return port


def _read(foundation: families.Foundation, built: Sequence[families.Family]) -> dict[Gauge, Read]:
    """Return how own metrics are read: what is the same in all processes, by the writing one."""
    guard = foundation.guard
    read = dict(foundation.stores.read)
    if foundation.writes:
        read |= {
            readings.CLOCK_TRUSTED: lambda: guard.is_trusted,
            readings.CLOCK_OFFSET_SECONDS: lambda: guard.offset_us / 1_000_000,
        }
    for family in built:
        read |= family.read
    return read


async def _save_last_used(authenticator: Authenticator) -> NoReturn:
    await run_periodically(
        "save_last_used",
        authenticator.save_last_used,
        every_seconds=LAST_USED_SAVED_EVERY_SECONDS,
    )


async def _keep_clock(keeping: ClockKeeping) -> NoReturn:
    await run_periodically("clock", keeping.step, every_seconds=CHECKED_EVERY_SECONDS)
