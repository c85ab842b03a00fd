"""How the tests of live metrics talk to a running product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import requests
from tests.stack import Stack

from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

PATHS = "/api/v1/metrics"


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveApi:
    """Both APIs of a running product, with the admin token."""

    stack: Stack
    channel: grpc.Channel

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Admin-Token": self.stack.admin_token}

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-admin-token", self.stack.admin_token),)

    @property
    def stub(self) -> LiveMetricsServiceStub:
        return LiveMetricsServiceStub(self.channel)

    def get(self, path: str, **query: str) -> requests.Response:
        return requests.get(
            self.stack.rest_url + path, params=query, headers=self.headers, timeout=20
        )

    def post(self, body: Any) -> requests.Response:
        data = {"data": body} if isinstance(body, bytes | str) else {"json": body}
        headers = {**self.headers, "Content-Type": "application/json"}
        url = self.stack.rest_url + PATHS + "/events"
        return requests.post(url, headers=headers, timeout=20, **data)

    def record(self, *events: dict[str, Any]) -> None:
        answer = self.post({"events": events})
        assert answer.status_code == 200, answer.text


def live_api(stack: Stack) -> LiveApi:
    """Return both APIs of `stack`; its channel is to be closed by whoever ends it."""
    return LiveApi(stack=stack, channel=grpc.insecure_channel(stack.edge_target))


@pytest.fixture(scope="session")
def live(stack: Stack) -> Iterator[LiveApi]:
    """A product that the tests share; each keeps to tenants of its own."""
    api = live_api(stack)
    yield api
    api.channel.close()
