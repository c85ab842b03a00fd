"""Connections that take and give nothing: others are answered, memory stays as it is."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator

import pytest
from tests.end_to_end import http2
from tests.end_to_end.callers import Caller
from tests.end_to_end.conftest import connected, with_key
from tests.end_to_end.killing import running
from tests.end_to_end.processes import descriptors, envoy_of, resident_mb, server_of
from tests.end_to_end.recorders import RECORD, TEN_YEARS
from tests.stack import Stack
from tests.waiting import until

PATH = "/v1/custom-metrics"
POINT = {"points": [{"name": "turns"}]}
IDLE = 1_000
SLOW = 300
CONNECTIONS = 12
RESETS = 5_000
GROWS_AT_MOST_MB = 60

needs_descriptors = pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 4 * IDLE,
    reason="not enough file descriptors for so many connections",
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product of its own, whose memory is looked at."""
    with running(tmp_path_factory.mktemp("own")) as stack:
        yield stack


@pytest.fixture
def caller(own: Stack, request: pytest.FixtureRequest) -> Iterator[Caller]:
    with connected(own) as anybody:
        yield with_key(anybody, request.node.name[:60].replace("[", " ").replace("]", ""))


def is_answered(caller: Caller, times: int = 10) -> None:
    for _ in range(times):
        assert caller.post(PATH, POINT).status == 200
        assert caller.rpc(RECORD, POINT).code == 0
        assert caller.get(PATH + "/aggregate", **TEN_YEARS).status == 200


def opened(target: str, count: int, sent: bytes = b"") -> list[socket.socket]:
    host, _, port = target.rpartition(":")
    connections = []
    for _ in range(count):
        connections.append(socket.create_connection((host, int(port)), timeout=30))
        connections[-1].sendall(sent)
    return connections


@needs_descriptors
@pytest.mark.parametrize("port", ["edge_target", "grpc_target"])
def test_a_thousand_idle_connections_disturb_nobody(own: Stack, caller: Caller, port: str) -> None:
    is_answered(caller)
    pid = envoy_of(own) if port == "edge_target" else server_of(own)
    before, memory = descriptors(pid), resident_mb(pid)
    idle = opened(getattr(own, port), IDLE)
    try:
        until(lambda: descriptors(pid) >= before + IDLE)
        is_answered(caller)
        assert resident_mb(pid) - memory < GROWS_AT_MOST_MB
    finally:
        for each in idle:
            each.close()
    until(lambda: descriptors(pid) <= before + 10)
    is_answered(caller)


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /v1/custom-metrics/names HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
        http2.PREFACE + http2.frame(http2.HEADERS, 0, 1, b"\x82"),
    ],
    ids=["HTTP/1.1", "HTTP/2"],
)
def test_headers_that_never_end_are_given_up_and_disturb_nobody(
    own: Stack, caller: Caller, beginning: bytes
) -> None:
    slow = opened(own.edge_target, SLOW, beginning)
    try:
        is_answered(caller)
        # Each is ended by Envoy, not by who waits.
        for each in slow:
            with contextlib.suppress(ConnectionError):
                while each.recv(65_536):
                    pass
    finally:
        for each in slow:
            each.close()
    is_answered(caller)


@pytest.mark.parametrize("port", ["edge_target", "grpc_target"])
def test_streams_that_are_reset_at_once_disturb_nobody(
    own: Stack, caller: Caller, port: str
) -> None:
    is_answered(caller)
    target = getattr(own, port)
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/vumeter.live_metrics.v1.LiveMetricsService/WatchLiveMetrics",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        "x-admin-token": own.admin_token,
    }
    pids = (server_of(own), envoy_of(own))
    # What streams take is kept for the next ones: memory grows at first, and then no more.
    memory = []
    for _ in range(2):
        for _ in range(CONNECTIONS):
            with http2.connection(target) as attacked:
                assert http2.open_and_reset(attacked, RESETS, headers) > 0
            is_answered(caller, 1)
        memory.append([resident_mb(pid) for pid in pids])
    is_answered(caller)
    assert (server_of(own), envoy_of(own)) == pids
    for first, then in zip(*memory, strict=True):
        assert then - first < GROWS_AT_MOST_MB
