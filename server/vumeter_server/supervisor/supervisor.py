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
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from vumeter_server.edge.config import EdgeConfig
from vumeter_server.edge.process import Envoy
from vumeter_server.runtime.addresses import Address, ip_of
from vumeter_server.runtime.parent_death import ending_with_parent
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError

READY_WITHIN_SECONDS = 120.0
"""A database of an earlier version is migrated before its server is ready."""
STOPPED_WITHIN_SECONDS = 20.0


class ChildFailed(StartError):
    """A child ended while starting and has said why itself."""

    def __init__(self, status: int) -> None:
        super().__init__("")
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoints:
    """Where a started product answers.

    `servers` are the gRPC ports of the server processes, the one that writes first.
    """

    rest: Address | None
    servers: Sequence[Address]

    @property
    def grpc(self) -> Address:
        """The gRPC port that the settings name."""
        return self.servers[0]

    @property
    def rest_url(self) -> str:
        """The base URL of the REST face, as reached from this machine."""
        return f"http://{self.rest.from_here}" if self.rest is not None else ""


class ServerProcess:
    """One gRPC server process."""

    def __init__(self, process: asyncio.subprocess.Process, address: Address) -> None:
        self.process = process
        self.address = address

    @classmethod
    async def start(
        cls, settings: Settings, listen: Address, *, launch_id: str, writer: Address | None
    ) -> ServerProcess:
        """Start a server and wait until it answers; without `writer` it is the one that writes.

        Raises ChildFailed if it ends instead, StartError if it does not begin in time.
        """
        read_end, write_end = os.pipe()
        try:
            command = [
                *(sys.executable, "-m", "vumeter_server.cli", "serve"),
                *("--db", str(settings.db)),
                *("--host", listen.host),
                *("--grpc-port", str(listen.port)),
                *("--ready-fd", str(write_end)),
            ]
            process = await asyncio.create_subprocess_exec(
                *ending_with_parent(command),
                env={
                    **os.environ,
                    "VUMETER_LAUNCH_ID": launch_id,
                    "VUMETER_WORKERS": "1",
                    "VUMETER_WRITER": str(writer.from_here) if writer is not None else "",
                },
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[write_end],
                start_new_session=True,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        try:
            port = await _read_port(read_end)
        except BaseException:
            await _end(process)
            raise
        if port is None:
            raise ChildFailed(await process.wait())
        return cls(process, Address(host=listen.host, port=port))


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
    async with _signals_set(stop):
        starting = asyncio.create_task(_start(settings, with_edge))
        if not await _unless(stop, starting):
            return 0
        servers, envoy, rest = starting.result()
        children = {f"server {n}" if n else "the server": s.process for n, s in enumerate(servers)}
        if envoy is not None:
            children["Envoy"] = envoy.process
        try:
            endpoints = Endpoints(rest=rest, servers=[server.address for server in servers])
            ended = await _watch(stop, children, on_ready(endpoints) if on_ready else None)
        finally:
            await _stop(servers, envoy, stop)
    if ended is not None:
        name, status = ended
        print(f"vumeter: {name} ended with {_described(status)}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _start(
    settings: Settings, with_edge: bool
) -> tuple[Sequence[ServerProcess], Envoy | None, Address | None]:
    launch_id = settings.launch_id or uuid.uuid4().hex
    servers: list[ServerProcess] = []
    envoy: Envoy | None = None
    rest = Address(host=ip_of(settings.host), port=settings.rest_port) if with_edge else None
    try:
        if rest is not None:
            Envoy.check_ports(rest, settings.envoy_admin_port)
        for listen in _listens(settings, with_edge):
            writer = servers[0].address if servers else None
            servers.append(
                await ServerProcess.start(settings, listen, launch_id=launch_id, writer=writer)
            )
        if rest is None:
            return servers, None, None
        envoy = await Envoy.start(
            EdgeConfig(
                listen=rest,
                upstreams=[server.address.from_here for server in servers],
                cors_origins=settings.cors_origins,
                access_log=settings.access_log,
                admin_port=settings.envoy_admin_port,
            ),
            concurrency=settings.envoy_concurrency,
        )
        return servers, envoy, await envoy.wait_until_ready()
    except BaseException:
        for server in servers:
            await _end(server.process)
        if envoy is not None:
            await envoy.stop()
        raise


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


async def _stop(servers: Sequence[ServerProcess], envoy: Envoy | None, stop: asyncio.Event) -> None:
    stop.clear()
    # A second Ctrl-C is somebody who does not want to wait.
    hurry = asyncio.create_task(stop.wait())
    try:
        await asyncio.gather(*(_end(server.process, hurry) for server in servers))
        if envoy is not None:
            await envoy.stop()
    finally:
        hurry.cancel()


async def _end(process: asyncio.subprocess.Process, hurry: asyncio.Task[Any] | None = None) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    ended = asyncio.create_task(process.wait())
    await asyncio.wait(
        {ended, *([hurry] if hurry else [])},
        timeout=STOPPED_WITHIN_SECONDS,
        return_when=asyncio.FIRST_COMPLETED,
    )
    if not ended.done():
        process.kill()
    await ended


async def _unless(stop: asyncio.Event, work: asyncio.Task[Any]) -> bool:
    """Wait for `work`, or cancel it when `stop` is set first; return whether it was done."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if work.done():
        return True
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    return False


async def _read_port(read_end: int) -> int | None:
    """Return the port that a server wrote, None if it ended without."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
    )
    try:
        line = await asyncio.wait_for(reader.readline(), READY_WITHIN_SECONDS)
    except TimeoutError:
        raise StartError(
            f"the server was not ready within {READY_WITHIN_SECONDS:.0f} seconds"
        ) from None
    finally:
        transport.close()
    return int(line) if line else None


@contextlib.asynccontextmanager
async def _signals_set(event: asyncio.Event) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, event.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _described(status: int) -> str:
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"status {status}"
