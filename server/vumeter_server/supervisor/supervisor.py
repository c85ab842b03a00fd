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
import signal
import sys
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from vumeter_server.edge.config import EdgeConfig
from vumeter_server.edge.process import Envoy
from vumeter_server.runtime.addresses import Address, ip_of
from vumeter_server.runtime.settings import Settings
from vumeter_server.supervisor.endpoints import Endpoints
from vumeter_server.supervisor.server_process import ServerProcess, end_process
from vumeter_server.supervisor.signals import set_by_signals, unless


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
        starting = asyncio.create_task(_start(settings, with_edge))
        if not await unless(stop, starting):
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
    epoch_id = settings.epoch_id or uuid.uuid4().hex
    servers: list[ServerProcess] = []
    envoy: Envoy | None = None
    rest = Address(host=ip_of(settings.host), port=settings.rest_port) if with_edge else None
    try:
        if rest is not None:
            Envoy.check_ports(rest, settings.envoy_admin_port)
        for listen in _listens(settings, with_edge):
            writer = servers[0].address if servers else None
            servers.append(
                await ServerProcess.start(settings, listen, epoch_id=epoch_id, writer=writer)
            )
        if rest is None:
            return servers, None, None
        envoy = await Envoy.start(
            EdgeConfig(
                listen=rest,
                upstreams=[server.address.from_here for server in servers],
                cors_origins=settings.cors_origins,
                access_log=settings.access_log,
                access_log_file=settings.access_log_file,
                admin_port=settings.envoy_admin_port,
            ),
            concurrency=settings.envoy_concurrency,
        )
        return servers, envoy, await envoy.wait_until_ready()
    except BaseException:
        for server in servers:
            await end_process(server.process)
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
        await asyncio.gather(*(end_process(server.process, hurry) for server in servers))
        if envoy is not None:
            await envoy.stop()
    finally:
        hurry.cancel()


def _described(status: int) -> str:
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"status {status}"
