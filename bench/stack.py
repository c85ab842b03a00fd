"""A running product: where it answers, a key for it, and what it takes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

import requests

from bench.asks import Ask
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

ADMIN_TOKEN = "token-of-the-benchmark-0123456789abcdef"
PATHS = "/v1/custom-metrics"
ROOT = Path(__file__).resolve().parent.parent
_OF_PRODUCT = ROOT / ".venv" / "bin" / "python"
# The product runs where nothing is installed but what it needs: a library that finds pandas beside
# it, which comes with a peer, would load that, too.
PYTHON = str(_OF_PRODUCT) if _OF_PRODUCT.exists() else sys.executable
ORGANIZATION = "bench"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A running product and a key of the organization with the data set."""

    rest_url: str
    grpc_target: str
    bearer: str
    pid: int
    ready_after_seconds: float
    metrics_url: str = ""
    """Where own metrics are; empty if they are off."""
    db: Path | None = None
    """Its database file; None where it runs on a cluster."""

    def seen_by(self, bearer: str) -> Stack:
        """Return the same product with another key."""
        return replace(self, bearer=bearer)

    @property
    def edge_target(self) -> str:
        """Envoy's port as a gRPC target."""
        return self.rest_url.partition("://")[2]

    @property
    def headers(self) -> dict[str, str]:
        """What a request needs."""
        return {"Authorization": f"Bearer {self.bearer}"}

    def get(self, ask: Ask) -> bytes:
        """Ask over REST; raises RuntimeError for any other answer than 200."""
        return get(f"{self.rest_url}{PATHS}{ask.path()}", self.headers)

    def pids(self) -> list[int]:
        """Return the ids of all processes: supervisor, servers, Envoy."""
        found, waiting = [], [self.pid]
        while waiting:
            found.append(waiting.pop())
            waiting += children_of(found[-1])
        return found


def get(url: str, headers: dict[str, str]) -> bytes:
    """Return what a URL answers; raises RuntimeError unless that is 200."""
    answer = requests.get(url, headers=headers, timeout=60)
    if answer.status_code != HTTPStatus.OK:
        raise RuntimeError(f"{url}: {answer.status_code} {answer.text}")
    return answer.content


@contextlib.contextmanager
def running(
    db: Path,
    *options: str,
    module: str = "bench.product",
    workers: int | None = None,
    own_metrics: bool = True,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Stack]:
    """Run `vumeter up` on `db`, with the empty RPC unless `module` is the product's own.

    `variables` are further ones of its environment.
    """
    arguments = [f"--db={db}", *options]
    if workers is not None:
        arguments.append(f"--workers={workers}")
    (bearer,) = keys_on(db, [ORGANIZATION])
    with _running(arguments, bearer, module=module, own_metrics=own_metrics, **variables) as stack:
        yield replace(stack, db=db)


@contextlib.contextmanager
def running_on(store: str) -> Iterator[Stack]:
    """Run `vumeter up` on the store that VUMETER_STORE names; it makes what is missing there."""
    with _running([], "", module="vumeter_server.cli", VUMETER_STORE=store) as stack:
        yield stack


def keys_on(store: Path | str, organizations: Sequence[str]) -> list[str]:
    """Return a key of each organization, all made, in a database file or a store of that name."""
    if isinstance(store, Path):
        administration = SqliteKeyAdministration(open_database(store))
        made = [administration.create_key(each, Role.OWNER, None) for each in organizations]
        return [each.bearer for each in made]
    printed = subprocess.run(
        [PYTHON, "-m", "bench.keys_on_cluster", *organizations],
        env=os.environ | {"VUMETER_STORE": store},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return printed.stdout.split()


@contextlib.contextmanager
def _running(
    arguments: Sequence[str],
    bearer: str,
    *,
    module: str,
    own_metrics: bool = True,
    **variables: str,
) -> Iterator[Stack]:
    command = [PYTHON, "-m", module, "up", "--rest-port=0", "--grpc-port=0", *arguments]
    environment = {
        **os.environ,
        "VUMETER_ADMIN_TOKEN": ADMIN_TOKEN,
        "VUMETER_ACCESS_LOG": "0",
        "VUMETER_LOG_LEVEL": "error",
        "VUMETER_METRICS_PORT": "0" if own_metrics else "off",
        **variables,
    }
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        try:
            found: dict[str, str] = {}
            while len(found) < (3 if own_metrics else 2):
                assert process.stdout is not None
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"vumeter up ended with {process.wait()}")
                # "own metrics" are two words.
                name, value = line.removeprefix("own ").split()[:2]
                found[name] = value
            yield Stack(
                rest_url=found["REST"],
                grpc_target=found["gRPC"],
                bearer=bearer,
                pid=process.pid,
                ready_after_seconds=time.perf_counter() - started,
                metrics_url=found.get("metrics", ""),
            )
        finally:
            process.terminate()
            process.wait(timeout=60)


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    return []


@dataclass(slots=True)
class Memory:
    """What processes had resident in memory at the moment when it was most, in MB."""

    of_servers: float = 0.0
    """Supervisor and servers."""
    anonymous: float = 0.0
    """What of that is not pages of files."""
    of_envoy: float = 0.0


@contextlib.contextmanager
def watched_memory(stack: Stack, every_seconds: float = 0.2) -> Iterator[Memory]:
    """Look at the memory of all processes again and again for the length of the context."""
    most = Memory()
    stop = threading.Event()

    def look() -> None:
        while True:
            now = resident(stack.pids())
            if now.of_servers > most.of_servers:
                most.of_servers, most.anonymous = now.of_servers, now.anonymous
            most.of_envoy = max(most.of_envoy, now.of_envoy)
            if stop.wait(every_seconds):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


def resident(pids: list[int]) -> Memory:
    """Return what processes have resident in memory now."""
    memory = Memory()
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        lines = dict(line.split(":", 1) for line in status.splitlines())
        megabytes = int(lines.get("VmRSS", "0").split()[0]) / 1_000
        if lines["Name"].strip() == "envoy":
            memory.of_envoy += megabytes
        else:
            memory.of_servers += megabytes
            memory.anonymous += int(lines.get("RssAnon", "0").split()[0]) / 1_000
    return memory
