"""Bodies that drip and answers that are taken slowly, where a REST request may take two seconds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import requests
from tests.edge.asking import names, native_names
from tests.edge.conftest import Edge, answering, run_edge
from tests.edge.upstream import SERVICE, Upstream
from tests.end_to_end import http2
from tests.waiting import comes_to_hold

from vumeter_server.edge import process
from vumeter_server.edge.config import (
    EdgeConfig,
    EdgeFiles,
    connection_manager,
    edge_files,
    load,
    render,
)

BOUND_SECONDS = 2
# As long as nothing else ends it: the longest that a byte may be awaited is 30 s.
GIVEN_UP_AFTER_SECONDS = 25.0
DRIPS_EVERY_SECONDS = 0.1
ANSWER_BYTES = 20_000_000
SLOW_READERS = 3


def routes_without_a_bound(bootstrap: dict[str, Any]) -> set[str]:
    """Return the names of the routes whose requests may take any time."""
    (virtual_host,) = connection_manager(bootstrap)["route_config"]["virtual_hosts"]
    durations = {
        route["name"]: route["route"].get("max_stream_duration", {}).get("max_stream_duration")
        for route in virtual_host["routes"]
        if "route" in route
    }
    assert set(durations.values()) == {None, "0s"}
    return {name for name, duration in durations.items() if duration}


@pytest.fixture(scope="module")
async def running_bounded(upstream: Upstream) -> AsyncIterator[Edge]:
    """Run an Envoy whose bounds are two seconds, where there is one."""

    def with_short_bounds(files: EdgeFiles, config: EdgeConfig) -> str:
        bootstrap = json.loads(render(files, config))
        options = connection_manager(bootstrap)["common_http_protocol_options"]
        options["max_stream_duration"] = f"{BOUND_SECONDS}s"
        return json.dumps(bootstrap)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "render", with_short_bounds)
        async with run_edge(upstream.port, cors_origins=[]) as edge:
            yield edge


@pytest.fixture
async def bounded(running_bounded: Edge) -> Edge:
    """Give that Envoy, once it takes the stand-in for healthy."""
    return await answering(running_bounded)


def test_rest_requests_alone_have_a_bound_of_two_minutes() -> None:
    bootstrap = load(edge_files().envoy_yaml)
    options = connection_manager(bootstrap)["common_http_protocol_options"]
    assert options["max_stream_duration"] == "120s"
    assert routes_without_a_bound(bootstrap) == {"watch", "grpc"}


def dripping(edge: Edge, path: str, length: int, drips: Callable[[], Iterator[bytes]]) -> Any:
    """Send a body bit by bit; return the answer, and after how long it was there."""
    host, _, port = edge.target.rpartition(":")
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=DRIPS_EVERY_SECONDS) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nhost: vumeter\r\ncontent-type: application/json\r\n"
            f"content-length: {length}\r\nconnection: close\r\n\r\n".encode()
        )
        answer, sending = b"", drips()
        while time.monotonic() - started < GIVEN_UP_AFTER_SECONDS:
            with contextlib.suppress(TimeoutError, ConnectionError):
                if not (received := connection.recv(65_536)):
                    break
                answer += received
            with contextlib.suppress(ConnectionError):
                connection.sendall(next(sending, b""))
    return answer, time.monotonic() - started


@pytest.mark.parametrize(
    "path", ["/v1/custom-metrics", "/v1/metrics", "/observability/recordings/v0"]
)
async def test_a_body_that_drips_is_given_up(bounded: Edge, path: str) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" "

    answer, seconds = await asyncio.to_thread(dripping, bounded, path, 100_000, endless)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), answer
    assert json.loads(body) == {"code": 4, "message": "Deadline exceeded", "details": []}
    assert BOUND_SECONDS * 0.9 < seconds < GIVEN_UP_AFTER_SECONDS
    assert (await names(bounded, "agent_xyz")).status_code == 200


async def test_a_body_in_pieces_is_taken(bounded: Edge) -> None:
    pieces = [b"{", b"}", b" ", b" "]
    answer, _ = await asyncio.to_thread(
        dripping, bounded, "/v1/custom-metrics", 4, lambda: iter(pieces)
    )
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert b'"recorded":4' in answer.replace(b" ", b"")


async def test_a_call_of_grpc_may_take_longer(bounded: Edge) -> None:
    slow = f"slow {2 * BOUND_SECONDS}"
    assert await native_names(bounded.target, slow) == [slow]


async def test_a_stream_of_grpc_may_be_sent_for_longer(bounded: Edge) -> None:
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/{SERVICE}/Record",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    # A message of 1,000 bytes.
    beginning = http2.frame(
        http2.HEADERS, http2.END_HEADERS, 1, http2.header_block(headers)
    ) + http2.frame(http2.DATA, 0, 1, b"\0" + (1_000).to_bytes(4))
    with http2.connection(bounded.target) as opened:
        sender = http2.Stalled(opened)
        opened.sendall(beginning)
        started = time.monotonic()

        def is_sent_for_long() -> bool:
            opened.sendall(http2.frame(http2.DATA, 0, 1, b"\0"))
            return time.monotonic() - started > 2.5 * BOUND_SECONDS

        await comes_to_hold(is_sent_for_long, every_seconds=DRIPS_EVERY_SECONDS)
        assert sender.ended == set()


async def test_watching_may_take_longer(bounded: Edge) -> None:
    def watch() -> float:
        started = time.monotonic()
        path = "/api/v1/metrics/watch"
        with requests.get(bounded.url + path, stream=True, timeout=30) as response:
            assert response.status_code == 200
            for _ in response.iter_lines():
                if time.monotonic() - started > 2.5 * BOUND_SECONDS:
                    return time.monotonic() - started
        raise AssertionError(f"it ended after {time.monotonic() - started} s")

    assert await asyncio.to_thread(watch) > 2.5 * BOUND_SECONDS


async def test_a_large_answer_may_be_taken_slowly_and_holds_up_nobody(bounded: Edge) -> None:
    """What an answer takes is Envoy's as soon as the server has answered, and waits there."""

    def begun() -> socket.socket:
        host, _, port = bounded.target.rpartition(":")
        connection = socket.socket()
        connection.settimeout(GIVEN_UP_AFTER_SECONDS)
        # The system takes little of it for who reads.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect((host, int(port)))
        connection.sendall(
            b"GET /v1/custom-metrics/tags?agentId=%d HTTP/1.1\r\nhost: vumeter\r\n\r\n"
            % ANSWER_BYTES
        )
        return connection

    with contextlib.ExitStack() as reading:
        readers = [
            reading.enter_context(await asyncio.to_thread(begun)) for _ in range(SLOW_READERS)
        ]
        taken = [await asyncio.to_thread(each.recv, 1_000) for each in readers]
        started = time.monotonic()

        async def is_over_the_bound() -> bool:
            for index, each in enumerate(readers):
                taken[index] += await asyncio.to_thread(each.recv, 1_000)
            assert (await names(bounded, "agent_xyz")).status_code == 200
            return time.monotonic() - started > 1.5 * BOUND_SECONDS

        await comes_to_hold(is_over_the_bound, every_seconds=DRIPS_EVERY_SECONDS)
        for index, each in enumerate(readers):
            assert len(taken[index]) < ANSWER_BYTES / 10

            def all_of(connection: socket.socket, begun: bytes) -> int:
                left = ANSWER_BYTES - len(begun.partition(b"\r\n\r\n")[2])
                while left and (received := connection.recv(min(left, 1 << 20))):
                    left -= len(received)
                return left

            assert await asyncio.to_thread(all_of, each, taken[index]) == 0
