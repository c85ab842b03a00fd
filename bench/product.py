"""The product as it is measured over the network: server processes and Envoy, with an empty RPC."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import yaml
from google.protobuf import descriptor_pb2

from bench import served
from vumeter_server.access.keys import Role
from vumeter_server.access.sqlite import SqliteKeyAdministration
from vumeter_server.edge import process as edge_process
from vumeter_server.edge.config import EdgeConfig, EdgeFiles, edge_files, load, transcoder
from vumeter_server.processes.addresses import Address
from vumeter_server.storage import open_database

TOKEN = "token-of-the-benchmark-0123456789abcdef"


class Product:
    """A running product."""

    def __init__(self, rest_url: str, targets: list[str], bearer: str, pids: list[int]) -> None:
        self.rest_url = rest_url
        self.targets = targets
        self.bearer = bearer
        self.server_pids = pids

    @property
    def grpc_target(self) -> str:
        """The port of the process that writes."""
        return self.targets[0]

    def server_megabytes(self) -> float:
        """Return what all server processes have taken at most, in MB."""
        return sum(_peak_megabytes(pid) for pid in self.server_pids)


@contextlib.asynccontextmanager
async def running(db: Path, directory: Path, workers: int = 1) -> AsyncIterator[Product]:
    """Run the product on `db` with an organization of id 1 and a key of it."""
    key = SqliteKeyAdministration(open_database(db)).create_key("bench", Role.OWNER, None)
    with contextlib.ExitStack() as children:
        servers: list[tuple[subprocess.Popen[str], int]] = []
        for _ in range(workers):
            writer = f"127.0.0.1:{servers[0][1]}" if servers else ""
            servers.append(children.enter_context(_server(db, writer)))
        setattr(edge_process, "edge_files", lambda: _files(directory))  # noqa: B010
        listen = Address(host="127.0.0.1", port=0)
        envoy = await edge_process.Envoy.start(
            EdgeConfig(
                listen=listen,
                upstreams=[Address(host="127.0.0.1", port=port) for _, port in servers],
                access_log=False,
            ),
            concurrency=1,
        )
        try:
            address = await envoy.wait_until_ready()
            yield Product(
                rest_url=f"http://{address}",
                targets=[f"127.0.0.1:{port}" for _, port in servers],
                bearer=key.bearer,
                pids=[process.pid for process, _ in servers],
            )
        finally:
            await envoy.stop()


@contextlib.contextmanager
def _server(db: Path, writer: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.served", str(db)],
        env={**os.environ, "VUMETER_ADMIN_TOKEN": TOKEN, "VUMETER_WRITER": writer},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def seconds_to_ready(db: Path) -> float:
    """Return how long a server takes from its start until it answers."""
    started = time.perf_counter()
    with _server(db, ""):
        return time.perf_counter() - started


def _files(directory: Path) -> EdgeFiles:
    """Write the edge's two files anew, with the empty RPC."""
    files = edge_files()
    bootstrap = load(files.envoy_yaml)
    transcoder(bootstrap)["services"].append(served.SERVICE)
    envoy_yaml = directory / "envoy.yaml"
    envoy_yaml.write_text(yaml.safe_dump(bootstrap, sort_keys=False))
    descriptors = descriptor_pb2.FileDescriptorSet.FromString(files.descriptor_set.read_bytes())
    descriptors.file.append(served.file_descriptor())
    descriptor_set = directory / "api.binpb"
    descriptor_set.write_bytes(descriptors.SerializeToString())
    return EdgeFiles(envoy_yaml=envoy_yaml, descriptor_set=descriptor_set)


def _peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1_000
    return 0.0
