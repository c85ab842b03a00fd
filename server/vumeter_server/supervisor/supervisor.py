"""Server and Envoy as children that begin, stay and end together.

Each child leads a session of its own, so that Ctrl-C reaches only the supervisor, which then ends
them in order: the servers first (they say NOT_SERVING, let Envoy notice, finish their calls), Envoy
when they are gone. Each child is killed by the kernel when the supervisor dies, however it dies.

When any child ends, all of them end: a worker that is gone would leave requests unanswered, and a
restarted writer would have to find out what the others have seen. What keeps services running keeps
`vumeter up` running.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from vumeter_server.edge.config import EdgeConfig
from vumeter_server.edge.process import Envoy
from vumeter_server.runtime.addresses import Address, ip_of
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.tls import TlsFiles, tls_files
from vumeter_server.supervisor.endpoints import Endpoints
from vumeter_server.supervisor.server_process import (
    ChildFailed,
    ServerProcess,
    end_process,
)
from vumeter_server.supervisor.signals import set_by_signals, unless
from vumeter_server.telemetry.own_metrics import show_all
from vumeter_server.telemetry.scrape_server import ScrapeServer

T = TypeVar("T")


async def run(
    settings: Settings,
    *,
    with_edge: bool = True,
    on_ready: Callable[[Endpoints], Coroutine[Any, Any, None]] | None = None,
) -> int:
    """Run servers, and Envoy in front of them, until SIGINT, SIGTERM or the end of one of them.

    `on_ready` is awaited once they answer, and cancelled when the end comes first.

    Returns the exit status: 0 after a signal, 1 when a child ended by itself.

    Raises StartError if something could not be started.
    """
    stop = asyncio.Event()
    async with set_by_signals(stop):
        product = _Product()
        starting = asyncio.create_task(product.start(settings, with_edge=with_edge))
        if not await unless(stop, starting):
            return 0
        # Raises if something could not be started; then all is ended already.
        starting.result()
        try:
            work = on_ready(product.endpoints) if on_ready else None
            ended = await _watch(stop, product.children, work)
        finally:
            await product.stop(stop)
    if ended is not None:
        print(f"vumeter: {ChildFailed(*ended)}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


class _Product:
    """What was started."""

    def __init__(self) -> None:
        self._servers: list[ServerProcess] = []
        self._envoy: Envoy | None = None
        self._rest: Address | None = None
        self._metrics: ScrapeServer | None = None
        self._tls: TlsFiles | None = None
        # For sockets; nobody else may open it.
        self._folder = tempfile.TemporaryDirectory(prefix="vumeter-up-")

    async def start(self, settings: Settings, *, with_edge: bool) -> None:
        """Start everything, or nothing."""
        try:
            await self._start(settings, with_edge=with_edge)
        except BaseException:
            await self._end(None)
            raise

    async def _start(self, settings: Settings, *, with_edge: bool) -> None:
        epoch_id = settings.epoch_id or uuid.uuid4().hex
        rest = Address(host=ip_of(settings.host), port=settings.rest_port) if with_edge else None
        if rest is not None:
            Envoy.check_ports(rest, settings.envoy_admin_port)
        self._tls = tls_files(settings)
        if self._tls is not None:
            self._tls.read()
        self._show_metrics(settings)
        for number, listen in enumerate(_listens(settings, with_edge), 1):
            server = ServerProcess.start(
                settings,
                listen,
                name=_server_name(number - 1),
                worker=number,
                epoch_id=epoch_id,
                writer=self._inside if self._servers else "",
                metrics_socket=self._socket("metrics", number) if self._metrics else None,
                internal_socket=self._socket("grpc", number) if self._tls else None,
            )
            self._servers.append(await self._while_servers_run(server))
        if rest is None:
            return
        self._envoy = await Envoy.start(
            EdgeConfig(
                listen=rest,
                upstreams=[
                    server.address.from_here if self._tls is None else self._socket("grpc", number)
                    for number, server in enumerate(self._servers, 1)
                ],
                cors_origins=settings.cors_origins,
                access_log=settings.access_log,
                access_log_file=settings.access_log_file,
                admin_port=settings.envoy_admin_port,
            ),
            tls=self._tls,
            concurrency=settings.envoy_concurrency,
        )
        self._rest = await self._while_servers_run(self._envoy.wait_until_ready())

    async def _while_servers_run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`; it is cancelled, and ChildFailed raised, once a server has ended."""
        waiting = {asyncio.create_task(s.process.wait()): n for n, s in enumerate(self._servers)}
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task, *waiting}, return_when=asyncio.FIRST_COMPLETED)
            for ended, number in waiting.items():
                # What is begun is kept, so that it is ended with the others.
                if ended.done() and not task.done():
                    raise ChildFailed(_server_name(number), ended.result())
            return await task
        finally:
            for each in (task, *waiting):
                each.cancel()
            await asyncio.gather(task, *waiting, return_exceptions=True)

    def _show_metrics(self, settings: Settings) -> None:
        """Listen for scrapes, unless own metrics are off."""
        workers = range(1, settings.workers + 1)
        sockets = {number: self._socket("metrics", number) for number in workers}
        self._metrics = show_all(settings, sockets)

    def _socket(self, what: str, number: int) -> Path:
        """Return where server `number` listens, in the folder of this start."""
        return Path(self._folder.name) / f"{what}-{number}"

    @property
    def _inside(self) -> str:
        """Where the server that writes takes calls without TLS, as a target of gRPC."""
        if self._tls is None:
            return str(self._servers[0].address.from_here)
        return f"unix:{self._socket('grpc', 1)}"

    @property
    def endpoints(self) -> Endpoints:
        """Where it answers."""
        return Endpoints(
            rest=self._rest,
            servers=[server.address for server in self._servers],
            metrics=self._metrics.address if self._metrics is not None else None,
            inside=self._inside,
            encrypted=self._tls is not None,
        )

    @property
    def children(self) -> dict[str, asyncio.subprocess.Process]:
        """The processes, by what to call them."""
        children = {_server_name(n): s.process for n, s in enumerate(self._servers)}
        if self._envoy is not None:
            children["Envoy"] = self._envoy.process
        return children

    async def stop(self, stop: asyncio.Event) -> None:
        """End everything in order; at a second signal at once."""
        stop.clear()
        # A second Ctrl-C is somebody who does not want to wait.
        hurry = asyncio.create_task(stop.wait())
        try:
            await self._end(hurry)
        finally:
            hurry.cancel()

    async def _end(self, hurry: asyncio.Task[Any] | None) -> None:
        await asyncio.gather(*(end_process(server.process, hurry) for server in self._servers))
        if self._envoy is not None:
            await self._envoy.stop()
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.close)
        self._folder.cleanup()


def _server_name(number: int) -> str:
    """Return what to call a server, numbered from 0: the first is the one that writes."""
    return f"server {number}" if number else "the server"


def _listens(settings: Settings, with_edge: bool) -> list[Address]:
    """Return where the servers listen: the writer as the settings say, the others beside it.

    Behind our own Envoy the others take any loopback port. For somebody else's proxy they take the
    ports that follow the writer's.
    """
    host, first = ip_of(settings.host), settings.grpc_port
    others = range(1, settings.workers)
    if with_edge:
        return [
            Address(host=host, port=first),
            *(Address(host="127.0.0.1", port=0) for _ in others),
        ]
    return [
        Address(host=host, port=first),
        *(Address(host=host, port=first + number if first else 0) for number in others),
    ]


async def _watch(
    stop: asyncio.Event,
    children: dict[str, asyncio.subprocess.Process],
    ready_work: Coroutine[Any, Any, None] | None,
) -> tuple[str, int] | None:
    """Return the first child that ended and its status; None if a signal came first."""
    waiting = {asyncio.create_task(process.wait()): name for name, process in children.items()}
    signalled = asyncio.create_task(stop.wait())
    work = asyncio.create_task(ready_work) if ready_work is not None else None
    pending: set[asyncio.Task[Any]] = {signalled, *waiting}
    if work is not None:
        pending.add(work)
    try:
        while True:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if signalled in done:
                return None
            for task, name in waiting.items():
                if task in done:
                    return name, task.result()
            if work is not None:
                work.result()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
