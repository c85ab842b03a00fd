"""Organizations of the running product, and how to ask as a member of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import grpc
import pytest
import requests
from tests.stack import Stack

from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role

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


@pytest.fixture(scope="session")
def channel(stack: Stack) -> Iterator[grpc.Channel]:
    """A channel to the server's own port."""
    with grpc.insecure_channel(stack.grpc_target) as opened:
        yield opened


_numbers = count(1)


def _organization(name: str, stack: Stack, channel: grpc.Channel) -> Organization:
    key = stack.make_key(f"{name} {next(_numbers)}", Role.MEMBER)
    return Organization(url=stack.rest_url, target=stack.grpc_target, key=key, channel=channel)


@pytest.fixture
def acme(stack: Stack, channel: grpc.Channel) -> Organization:
    """An organization of this test alone."""
    return _organization("simulating acme", stack, channel)


@pytest.fixture
def rival(stack: Stack, channel: grpc.Channel) -> Organization:
    """Another organization of this test alone."""
    return _organization("simulating rival", stack, channel)
