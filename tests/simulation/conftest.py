"""A whole product for the tests: server and Envoy as `vumeter up` starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests

from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.access.keys import NewKey, Role
from vumeter_server.access.sqlite import SqliteKeyAdministration
from vumeter_server.storage import open_database

PATHS = "/sdk/api/v1/simulation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Organization:
    """An organization of a running product, and how to ask as a member of it."""

    url: str
    target: str
    key: NewKey
    channel: grpc.Channel

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Api-Key": self.key.key_id, "X-Secret-Key": self.key.secret}

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-api-key", self.key.key_id), ("x-secret-key", self.key.secret))

    @property
    def stub(self) -> SimulationServiceStub:
        return SimulationServiceStub(self.channel)

    def get(self, path: str, **query: str) -> requests.Response:
        return requests.get(self.url + path, params=query, headers=self.headers, timeout=20)

    def post(self, path: str, body: Any) -> requests.Response:
        data = {"data": body} if isinstance(body, bytes | str) else {"json": body}
        return requests.post(self.url + path, headers=self.headers, timeout=20, **data)

    def record(self, path: str, body: Any) -> None:
        answer = self.post(path, body)
        assert answer.status_code == 200, answer.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A running server with Envoy in front."""

    db: Path
    url: str
    target: str
    channel: grpc.Channel

    def organization(self, name: str, role: Role = Role.MEMBER) -> Organization:
        administration = SqliteKeyAdministration(open_database(self.db, create=False))
        key = administration.create_key(name, role, None)
        return Organization(url=self.url, target=self.target, key=key, channel=self.channel)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    db = tmp_path_factory.mktemp("product") / "vumeter.db"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "vumeter_server.cli", "up", f"--db={db}"),
            *("--rest-port=0", "--grpc-port=0"),
        ],
        env=os.environ | {"VUMETER_ADMIN_TOKEN": "t" * 32, "VUMETER_ACCESS_LOG": "0"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            urls = dict(process.stdout.readline().split()[:2] for _ in range(2))
            with grpc.insecure_channel(urls["gRPC"]) as channel:
                yield Product(db=db, url=urls["REST"], target=urls["gRPC"], channel=channel)
        finally:
            process.terminate()


_numbers = count(1)


@pytest.fixture
def acme(product: Product) -> Organization:
    """An organization of this test alone."""
    return product.organization(f"acme {next(_numbers)}")


@pytest.fixture
def rival(product: Product) -> Organization:
    """Another organization of this test alone."""
    return product.organization(f"rival {next(_numbers)}")
