"""One gRPC server process: how it is started, and how it is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from vumeter_server.runtime.addresses import Address
from vumeter_server.runtime.parent_death import ending_with_parent
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError

READY_WITHIN_SECONDS = 120.0
"""A database of an earlier version is migrated before its server is ready."""
STOPPED_WITHIN_SECONDS = 20.0


class ChildFailed(StartError):
    """A child ended while all started; where its status is 2 it has said why itself."""

    def __init__(self, name: str, status: int) -> None:
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        super().__init__(f"{name} ended with {how}")
        self.status = status


class ServerProcess:
    """One gRPC server process."""

    def __init__(self, process: asyncio.subprocess.Process, address: Address) -> None:
        self.process = process
        self.address = address

    @classmethod
    async def start(
        cls,
        settings: Settings,
        listen: Address,
        *,
        name: str,
        worker: int,
        epoch_id: str,
        writer: str,
        metrics_socket: Path | None,
        internal_socket: Path | None,
    ) -> ServerProcess:
        """Start a server and wait until it answers; without `writer` it is the one that writes.

        Errors call it `name`.

        It shows its own metrics on `metrics_socket`, and takes calls without TLS on
        `internal_socket` where its port has TLS.

        Raises ChildFailed if it ends instead, StartError if it does not begin in time.
        """
        read_end, write_end = os.pipe()
        try:
            command = [
                *(sys.executable, "-m", "vumeter_server.cli", "serve"),
                *(["--db", str(settings.db)] if settings.is_on_sqlite else []),
                *("--host", listen.host),
                *("--grpc-port", str(listen.port)),
                *("--ready-fd", str(write_end)),
            ]
            process = await asyncio.create_subprocess_exec(
                *ending_with_parent(command),
                env={
                    **os.environ,
                    "VUMETER_EPOCH_ID": epoch_id,
                    "VUMETER_WORKERS": "1",
                    "VUMETER_WORKER": str(worker),
                    "VUMETER_METRICS_SOCKET": str(metrics_socket or ""),
                    "VUMETER_WRITER_ADDRESS": writer,
                    "VUMETER_TLS_CERT": str(settings.tls_cert or ""),
                    "VUMETER_TLS_KEY": str(settings.tls_key or ""),
                    "VUMETER_TLS_CLIENT_CA": str(settings.tls_client_ca or ""),
                    "VUMETER_INSECURE": str(settings.insecure),
                    "VUMETER_INTERNAL_SOCKET": str(internal_socket or ""),
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
            await end_process(process)
            raise
        if port is None:
            raise ChildFailed(name, await process.wait())
        return cls(process, Address(host=listen.host, port=port))


async def end_process(
    process: asyncio.subprocess.Process, hurry: asyncio.Task[Any] | None = None
) -> None:
    """Ask a process to end; kill it if it takes longer than 20 seconds, or once `hurry` is done."""
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
