"""A ClickHouse cluster of three nodes on this machine: processes that a test kills and stops.

The engine is npm's `@chdb/lib-linux-x64-gnu`, half a gigabyte, fetched once into `build/`. Where it
cannot be fetched, the tests that need it are skipped with the reason; they fail where
TEST_REQUIRE_CLUSTER is set.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

import pyarrow as pa
import pytest
from tests.effort import REQUIRE_CLUSTER
from tests.waiting import until

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.runtime.parent_death import ending_with_parent
from vumeter_server.runtime.store_address import ClickHouseAddress, ClickHouseHost

ROOT: Final = Path(__file__).resolve().parent.parent.parent
# Later versions of the package cannot listen.
PACKAGE: Final = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1"
LIBRARY: Final = ROOT / "build" / "clickhouse-26.7.3" / "libchdb.so"
CLUSTER: Final = "vumeter"
HTTP_PORT: Final = 8123
STARTED_WITHIN_SECONDS: Final = 60

_CONFIG = """<clickhouse><remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
<default_session_timeout>60</default_session_timeout></clickhouse>
"""
_SHARD = "<shard><replica><host>{host}</host><port>9000</port></replica></shard>"


class ClickHouseNode:
    """A node: a process, its directory and its address."""

    def __init__(self, directory: Path, config: Path, host: str) -> None:
        self.host = host
        self._directory = directory
        self._config = config
        directory.mkdir()
        self.start()

    def start(self) -> None:
        """Start it again, on what it has stored."""
        command = [
            *(sys.executable, str(Path(__file__).with_name("node.py")), str(LIBRARY)),
            *(str(self._directory), str(self._config), self.host),
        ]
        with (self._directory.parent / f"{self.host}.log").open("ab") as log:
            self._process = subprocess.Popen(
                ending_with_parent(command), stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Let it hang: connections are still accepted."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    @property
    def answers(self) -> bool:
        """Whether it answers HTTP."""
        try:
            with socket.create_connection((self.host, HTTP_PORT), timeout=5) as connection:
                connection.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
                return b" 200 " in connection.recv(100)
        except OSError:
            return False

    def wait_until_it_answers(self) -> None:
        """Wait for a node that was started."""

        def has_started() -> bool:
            assert self._process.poll() is None, f"node {self.host} does not start"
            return self.answers

        until(has_started, seconds=STARTED_WITHIN_SECONDS)


class ClickHouseCluster:
    """Three nodes, each a shard of its own."""

    def __init__(self, directory: Path, hosts: Sequence[str] = ()) -> None:
        if not hosts:
            # Each process that runs tests has addresses of its own.
            pid = os.getpid()
            hosts = [f"127.{1 + (pid >> 8) % 254}.{pid & 255}.{number}" for number in (1, 2, 3)]
        config = directory / "config.xml"
        shards = "".join(_SHARD.format(host=host) for host in hosts)
        config.write_text(_CONFIG.format(cluster=CLUSTER, shards=shards))
        self.nodes = [
            ClickHouseNode(directory / f"node-{number}", config, host)
            for number, host in enumerate(hosts, 1)
        ]
        for node in self.nodes:
            node.wait_until_it_answers()
        BlockingClickHouse(self.clickhouse).run(_warm_up)

    def address(self, database: str, *, first: int = 0) -> ClickHouseAddress:
        """Return what VUMETER_STORE would name, with the node that is asked first."""
        nodes = self.nodes[first:] + self.nodes[:first]
        return ClickHouseAddress(
            user="default",
            hosts=tuple(ClickHouseHost(host=node.host, port=HTTP_PORT) for node in nodes),
            database=database,
            cluster=CLUSTER,
        )

    def store(self, database: str) -> str:
        """Return VUMETER_STORE."""
        hosts = ",".join(node.host for node in self.nodes)
        return f"clickhouse://default@{hosts}/{database}?cluster={CLUSTER}"

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.kill()

    @contextlib.asynccontextmanager
    async def clickhouse(self) -> AsyncIterator[HttpClickHouse]:
        """Open an empty database with the tables of this version, and drop it at the end."""
        database = new_database()
        async with opened_clickhouse(self.address(database), "") as clickhouse:
            yield clickhouse
            drop = f"DROP DATABASE {database}"
            await asyncio.gather(*(node.command(drop) for node in clickhouse.nodes))


async def _warm_up(clickhouse: ClickHouse) -> None:
    """Let every node do for the first time what takes it seconds then: an entry has five."""
    row = {name: pa.array([0], pa.int64()) for name in ("organization", "occurred_us")}
    rows = pa.table({**row, "content": [""]})
    for node in clickhouse.nodes:
        await node.insert(clickhouse.layout.local("audit_entries"), rows, token="first")
        await node.query(f"SELECT max(content) FROM {clickhouse.layout.reads('audit_entries')}")


def new_database() -> str:
    """Return the name of a database that there is not."""
    return f"test_{uuid.uuid4().hex}"


@contextlib.contextmanager
def running_cluster(directory: Path, hosts: Sequence[str] = ()) -> Iterator[ClickHouseCluster]:
    """Run a cluster at three addresses of this machine; skip the test without an engine for it."""
    fetch_library()
    cluster = ClickHouseCluster(directory, hosts)
    try:
        yield cluster
    finally:
        cluster.close()


@contextlib.contextmanager
def killed(node: ClickHouseNode) -> Iterator[None]:
    """End a node, and start it again afterwards."""
    node.kill()
    try:
        yield
    finally:
        node.start()
        node.wait_until_it_answers()


@contextlib.contextmanager
def hung(node: ClickHouseNode) -> Iterator[None]:
    """Let a node hang, and go on afterwards."""
    node.stop()
    try:
        yield
    finally:
        node.go_on()
        node.wait_until_it_answers()


def fetch_library() -> None:
    """Fetch the engine, once for all processes; skip or fail the test if it cannot be had."""
    if LIBRARY.exists():
        return
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("there is no package of ClickHouse's engine for this machine")
    if (npm := shutil.which("npm")) is None:
        _give_up("npm is not installed, which fetches ClickHouse's engine")
    directory = LIBRARY.parent
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if LIBRARY.exists():
            return
        packed = subprocess.run(
            [npm, "pack", "--silent", PACKAGE],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if packed.returncode:
            last = (packed.stderr.strip() or "no reason given").splitlines()[-1]
            _give_up(f"npm cannot fetch ClickHouse's engine: {last}")
        archive = directory / packed.stdout.split()[-1]
        with tarfile.open(archive) as files:
            files.extract("package/libchdb.so", directory, filter="data")
        archive.unlink()
        (directory / "package" / "libchdb.so").rename(LIBRARY)


def _give_up(why: str) -> NoReturn:
    if REQUIRE_CLUSTER:
        pytest.fail(f"{why} (TEST_REQUIRE_CLUSTER is set)", pytrace=False)
    pytest.skip(why)
