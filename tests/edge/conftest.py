"""Envoy as the product starts it, in front of a server that does what a test asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.edge.upstream import Upstream
from tests.waiting import comes_to_hold

from vumeter_server.edge.config import EdgeConfig
from vumeter_server.edge.process import Envoy
from vumeter_server.runtime.addresses import Address

ALLOWED_ORIGIN = "https://dashboard.example.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """A running Envoy, by its URL and its gRPC target."""

    url: str
    target: str


@pytest.fixture(scope="session")
async def upstream() -> AsyncIterator[Upstream]:
    """Run the stand-in server."""
    started = Upstream()
    await started.start()
    yield started
    await started.server.stop(0)


@pytest.fixture(scope="session")
async def running_edge(upstream: Upstream) -> AsyncIterator[Edge]:
    """Run Envoy in front of it, with one origin allowed."""
    async with run_edge(upstream.port, cors_origins=[ALLOWED_ORIGIN]) as started:
        yield started


@pytest.fixture
async def edge(running_edge: Edge) -> Edge:
    """Give the running Envoy, once it takes the stand-in for healthy."""
    return await answering(running_edge)


async def answering(edge: Edge) -> Edge:
    """Wait until an Envoy takes the stand-in for healthy.

    The stand-in answers on the loop of the tests: while a test holds the loop up, it looks gone.
    """

    async def answers() -> bool:
        url = f"{edge.url}/v1/custom-metrics/names"
        response = await asyncio.to_thread(requests.get, url, timeout=30)
        return response.status_code == 200

    await comes_to_hold(answers, every_seconds=0.1)
    return edge


@contextlib.asynccontextmanager
async def run_edge(
    port: int, *, cors_origins: list[str], access_log: bool = False, **options: Any
) -> AsyncIterator[Edge]:
    """Run an Envoy in front of a server on `port`."""
    envoy = await Envoy.start(
        EdgeConfig(
            listen=Address(host="127.0.0.1", port=0),
            upstreams=[Address(host="127.0.0.1", port=port)],
            cors_origins=cors_origins,
            access_log=access_log,
            **options,
        )
    )
    try:
        address = await envoy.wait_until_ready()
        yield Edge(url=f"http://{address}", target=str(address))
    finally:
        await envoy.stop()


@pytest.fixture
def repository() -> Path:
    """Return the root of the checkout."""
    return Path(__file__).resolve().parent.parent.parent
