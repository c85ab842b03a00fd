"""A product started as its users start it: `vumeter up`, on ports that the system chooses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from vumeter_server.access.audit import AuditEntry
from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.commands.administration import Administration, on_cluster
from vumeter_server.commands.on_file import FileAdministration
from vumeter_server.runtime.parent_death import ending_with_parent
from vumeter_server.runtime.store_address import ClickHouseAddress, parse_store_address
from vumeter_server.sqlite import open_database

ADMIN_TOKEN = "token-of-the-tests-0123456789abcdef"
STARTED_WITHIN_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A running server and Envoy."""

    process: subprocess.Popen[bytes]
    rest_url: str
    """Envoy's port, as a base URL."""
    edge_target: str
    """The same port, as a gRPC target."""
    grpc_target: str
    """The server's own port."""
    db_path: Path
    """The database, unless the product runs on a cluster."""
    store: str
    """VUMETER_STORE of the cluster, "" for none."""
    metrics_url: str
    """Where own metrics are scraped."""
    admin_token: str
    log: Path
    """What the processes wrote to stderr."""

    def make_key(
        self,
        organization: str = "acme",
        role: Role = Role.OWNER,
        expires_us: int | None = None,
        tenant_id: str | None = None,
        label: str | None = None,
    ) -> NewKey:
        """Make a key, and its organization if there is none of that name."""
        return self._administration().keys.create_key(
            organization, role, expires_us, tenant_id, label
        )

    def make_code(self, organization: str = "acme", *, for_live: bool = False) -> str:
        """Make the code of a sign-in link, as another process does it."""
        code = self._administration().sign_in.create_code(organization, for_live=for_live)
        assert code is not None
        return code

    def revoke_key(self, key: NewKey) -> None:
        """Revoke a key, as another process does it."""
        assert self._administration().keys.revoke_key(key.key_id)

    def audited(self, action: str) -> list[AuditEntry]:
        """Return what the audit has of an action, the oldest first."""
        return [*self._administration().audit.entries(most=1_000, action=action)][::-1]

    def change_limits(self, organization: str, limits: Mapping[str, int | None]) -> None:
        """Change limits of an organization, as another process does it."""
        assert self._administration().limits.change_limits(organization, limits)

    def _administration(self) -> Administration:
        if not self.store:
            return FileAdministration(open_database(self.db_path, create=False))
        address = parse_store_address(self.store)
        assert isinstance(address, ClickHouseAddress)
        return on_cluster(address, "")

    def stop(self, signal_number: signal.Signals = signal.SIGINT) -> int:
        """End the product; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.wait()

    def wait(self) -> int:
        """Wait until the product has ended; return its exit status."""
        return self.process.wait(timeout=40)

    def children(self) -> list[int]:
        """Return the process ids of the server and Envoy."""
        return children_of(self.process.pid)


Start: TypeAlias = Callable[..., Stack]
"""Starts a product as `start_stack` does, in a store that a fixture chose."""


def start_stack(
    directory: Path, *arguments: str, within: Sequence[str] = (), **environment: str
) -> Stack:
    """Start `vumeter up` with a database in `directory` and wait until it is ready.

    `within` is what its command line begins with, such as what puts it on another network.
    """
    process, log = spawn_up(directory, *arguments, within=within, **environment)
    deadline = time.monotonic() + STARTED_WITHIN_SECONDS
    found: dict[str, str] = {}
    while len(found) < 3:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise AssertionError(f"vumeter up did not start: {log.read_text()}")
        time.sleep(0.05)
        output = (directory / "stdout.log").read_text()
        found = dict(re.findall(r"^(REST|gRPC|own metrics) +(\S+).*\n", output, re.MULTILINE))
    return Stack(
        process=process,
        rest_url=found["REST"],
        edge_target=found["REST"].partition("://")[2],
        grpc_target=found["gRPC"],
        metrics_url=found["own metrics"],
        db_path=directory / "vumeter.db",
        store=environment.get("VUMETER_STORE", ""),
        admin_token=ADMIN_TOKEN,
        log=log,
    )


def spawn_up(
    directory: Path, *arguments: str, within: Sequence[str] = (), **environment: str
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start `vumeter up` without waiting; return the process and the file of its stderr."""
    log = directory / "stderr.log"
    with log.open("w") as stderr, (directory / "stdout.log").open("w") as stdout:
        command = [
            *within,
            *(sys.executable, "-m", "vumeter_server.cli", "up"),
            *([] if "VUMETER_STORE" in environment else ["--db", str(directory / "vumeter.db")]),
            *("--rest-port", "0", "--grpc-port", "0"),
            *arguments,
        ]
        process = subprocess.Popen(
            # A test that fails before it ends its product leaves nothing behind.
            ending_with_parent(command),
            env={
                **os.environ,
                "VUMETER_ADMIN_TOKEN": ADMIN_TOKEN,
                # Most tests report calls of 2025, and ask for their totals.
                "VUMETER_CALL_TTL": "36500d",
                **environment,
            },
            stdout=stdout,
            stderr=stderr,
        )
    return process, log


def children_of(pid: int) -> list[int]:
    """Return the process ids of the children of `pid`."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]


def is_running(pid: int) -> bool:
    """Whether a process of that id exists and has not ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
