"""Envoy as a child process."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from vumeter_server.edge.access_log import AccessLogFile
from vumeter_server.edge.config import EdgeConfig, edge_files, render
from vumeter_server.edge.program import envoy_program
from vumeter_server.edge.secrets import EdgeSecrets
from vumeter_server.runtime.addresses import Address, check_free
from vumeter_server.runtime.parent_death import ending_with_parent
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.tls import TlsFiles

READY_WITHIN_SECONDS = 30.0
_POLL_SECONDS = 0.05
_HEALTHY = "/stats?filter=^cluster.vumeter.membership_healthy$"
_TAKEN = re.compile(r"cannot bind '?(?P<address>[^' ]+)'?: (?P<reason>[^\"\\]+)")
_LOG_FORMAT = '{"timestamp":"%Y-%m-%dT%T.%e%z","level":"%l","logger":"envoy.%n","event":"%j"}'


class Envoy:
    """A running Envoy. Its configuration and admin socket lie in a directory of this user alone."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        home: tempfile.TemporaryDirectory[str],
        admin: str | tuple[str, int],
        secrets: EdgeSecrets | None,
        access_log: AccessLogFile | None,
    ) -> None:
        self.process = process
        self._keeping = asyncio.create_task(secrets.keep()) if secrets is not None else None
        self._home = home
        self._admin = admin
        self._access_log = access_log
        self._lines: list[str] = []
        self._is_ready = False
        self._copying = asyncio.create_task(self._copy_log())
        self._rotating: asyncio.Task[NoReturn] | None = None

    @classmethod
    async def start(
        cls,
        config: EdgeConfig,
        *,
        tls: TlsFiles | None = None,
        concurrency: int = 1,
        log_level: str = "warning",
    ) -> Envoy:
        """Start Envoy; `wait_until_ready` says when it answers.

        Without an admin port its admin interface is a socket in its own directory.

        Raises StartError if one of its ports is taken, or if the certificates cannot be used;
        OSError if the file of its access log cannot be written.
        """
        cls.check_ports(config.listen, config.admin_port)
        access_log = _access_log_file(config)
        if access_log is not None:
            access_log.create()
        home = tempfile.TemporaryDirectory(prefix="vumeter-edge-")
        if config.admin_port is None:
            config = replace(config, admin_socket=Path(home.name) / "admin")
        secrets = EdgeSecrets(tls, Path(home.name)) if tls is not None else None
        if secrets is not None:
            config = replace(config, tls=secrets.transport_socket())
        file = Path(home.name) / "envoy.json"
        file.write_text(render(edge_files(), config))
        command = [
            envoy_program(),
            *("--config-path", str(file)),
            # Shared memory of its own: several may run on one machine.
            "--use-dynamic-base-id",
            *("--concurrency", str(concurrency)),
            # Who watches the files of certificates has to have a name.
            *("--service-node", "vumeter", "--service-cluster", "vumeter"),
            *("--log-level", log_level),
            *("--log-format", _LOG_FORMAT),
            *("--file-flush-interval-msec", "1000"),
        ]
        process = await asyncio.create_subprocess_exec(
            *ending_with_parent(command),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C is the supervisor's to handle: it ends the server first.
            start_new_session=True,
        )
        admin = str(config.admin_socket) if config.admin_socket else None
        where = admin or ("127.0.0.1", config.admin_port or 0)
        return cls(process, home, where, secrets, access_log)

    @staticmethod
    def check_ports(listen: Address, admin_port: int | None) -> None:
        """Make sure that Envoy's ports are free.

        Raises StartError, which names the port, if one is not.
        """
        check_free(listen, "Envoy (REST)")
        if admin_port is not None:
            check_free(Address(host="127.0.0.1", port=admin_port), "Envoy (admin)")

    async def wait_until_ready(self) -> Address:
        """Wait until `GET /healthz` answers 200, or would with TLS; return where.

        Raises StartError if Envoy ends, or is not ready within 30 seconds.
        """
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            if self.process.returncode is not None:
                raise StartError(await self._why_it_ended())
            address = await asyncio.to_thread(self._listening)
            if address is not None and await asyncio.to_thread(self._is_healthy, address):
                self._is_ready = True
                if self._access_log is not None:
                    self._rotating = asyncio.create_task(
                        self._access_log.keep_small(self._reopen_access_log)
                    )
                for line in self._lines:
                    print(line, file=sys.stderr, flush=True)  # noqa: T201 - Envoy's log is ours
                return address
            await asyncio.sleep(_POLL_SECONDS)
        raise StartError(f"Envoy was not ready within {READY_WITHIN_SECONDS:.0f} seconds")

    async def stop(self) -> None:
        """End Envoy and remove its directory."""
        if self.process.returncode is None:
            # That it was asked to end is no news.
            self._is_ready = False
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), timeout=5)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        for task in filter(None, (self._keeping, self._rotating)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._copying
        self._home.cleanup()

    def _reopen_access_log(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGUSR1)

    def _is_healthy(self, address: Address) -> bool:
        if self._keeping is None:
            return _is_healthy(address)
        # Its port may ask for a certificate that only clients have.
        try:
            return b"cluster.vumeter.membership_healthy: 0" not in _get(self._admin, _HEALTHY)[1]
        except OSError:
            return False

    def _listening(self) -> Address | None:
        try:
            body = _get(self._admin, "/listeners?format=json")[1]
        except OSError:
            return None
        for status in json.loads(body).get("listener_statuses", []):
            found = status["local_address"]["socket_address"]
            return Address(host=found["address"], port=found["port_value"])
        return None

    async def _copy_log(self) -> None:
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            line = raw.decode(errors="replace").rstrip()
            if self._is_ready:
                print(line, file=sys.stderr, flush=True)  # noqa: T201
            else:
                self._lines.append(line)

    async def _why_it_ended(self) -> str:
        await self._copying
        for line in self._lines:
            if taken := _TAKEN.search(line):
                return (
                    f"Envoy cannot listen on {taken['address']}: {taken['reason'].strip().lower()}"
                )
        last = f": {self._lines[-1]}" if self._lines else ""
        return f"Envoy ended while starting, with status {self.process.returncode}{last}"


def _access_log_file(config: EdgeConfig) -> AccessLogFile | None:
    if not config.access_log or config.access_log_file is None:
        return None
    return AccessLogFile(config.access_log_file, config.access_log_bytes)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=2)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(2)
        self.sock.connect(self._path)


def _get(server: str | tuple[str, int], path: str) -> tuple[int, bytes]:
    connection = (
        _UnixConnection(server)
        if isinstance(server, str)
        else http.client.HTTPConnection(*server, timeout=2)
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from None
    finally:
        connection.close()


def _is_healthy(address: Address) -> bool:
    try:
        here = address.from_here
        return _get((here.host, here.port), "/healthz")[0] == 200
    except OSError:
        return False
