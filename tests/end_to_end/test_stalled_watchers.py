"""Watchers that live and do not read: nothing is kept for them, and nobody waits for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.end_to_end import http2
from tests.end_to_end.callers import Caller
from tests.end_to_end.conftest import connected, with_key
from tests.end_to_end.killing import running
from tests.end_to_end.processes import anonymous_mb, envoy_of, server_of
from tests.end_to_end.recorders import RECORD, TEN_YEARS
from tests.stack import Stack
from tests.waiting import until

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

POINT = {"points": [{"name": "turns"}]}
CONNECTIONS = 10
WATCHERS_EACH = 60
# One message kept per watcher and change would take more than 30 MB.
CHANGES = 300
GROWS_AT_MOST_MB = 20
WATCH = "/vumeter.live_metrics.v1.LiveMetricsService/WatchLiveMetrics"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product of its own, whose memory is looked at."""
    with running(tmp_path_factory.mktemp("own")) as stack:
        yield stack


@pytest.fixture
def caller(own: Stack, request: pytest.FixtureRequest) -> Iterator[Caller]:
    with connected(own) as anybody:
        yield with_key(anybody, f"Clinic {hash(request.node.name)}")


def frames(token: str, tenant_id: str, stream: int) -> bytes:
    """Return a call of WatchLiveMetrics for as many updates as there may be."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": WATCH,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        "x-admin-token": token,
    }
    asked = pb.WatchLiveMetricsRequest(tenant_id=tenant_id, max_updates_per_second=10)
    message = asked.SerializeToString()
    framed = b"\0" + len(message).to_bytes(4) + message
    return http2.frame(
        http2.HEADERS, http2.END_HEADERS, stream, http2.header_block(headers)
    ) + http2.frame(http2.DATA, http2.END_STREAM, stream, framed)


@contextlib.contextmanager
def stalled_watchers(
    stack: Stack, target: str, tenant_id: str, window: int
) -> Iterator[list[http2.Stalled]]:
    """Open watchers that take so many bytes each, and no more."""
    with contextlib.ExitStack() as watching:
        watchers = []
        for _ in range(CONNECTIONS):
            opened = watching.enter_context(http2.connection(target, window))
            watchers.append(http2.Stalled(opened))
            for number in range(WATCHERS_EACH):
                opened.sendall(frames(stack.admin_token, tenant_id, 2 * number + 1))
        yield watchers


def started(tenant_id: str, name: str) -> dict[str, Any]:
    return {
        "events": [
            {
                "event_id": name,
                "type": "started",
                "call_id": name,
                "tenant_id": tenant_id,
                "occurred_at": "2025-04-01T09:00:00Z",
            }
        ]
    }


def record(caller: Caller, tenant_id: str, first: int, end: int) -> None:
    for number in range(first, end):
        answer = caller.post("/api/v1/metrics/events", started(tenant_id, f"{tenant_id}-{number}"))
        assert answer.status == 200, answer.body


def last_seen(caller: Caller, tenant_id: str, expected: int) -> int:
    """Watch as others do, until so many calls are told of."""
    watching = LiveMetricsServiceStub(caller.channel).WatchLiveMetrics(
        pb.WatchLiveMetricsRequest(tenant_id=tenant_id),
        metadata=tuple(caller.credentials.items()),
        timeout=100,
    )
    seen = -1
    for answer in watching:
        seen = answer.metrics.active_calls
        if seen == expected:
            watching.cancel()
            break
    return seen


@pytest.mark.timeout(300)
@pytest.mark.parametrize("window", [0, 1_000], ids=["nothing", "a little"])
@pytest.mark.parametrize("port", ["edge_target", "grpc_target"])
def test_nothing_is_kept_for_watchers_that_do_not_read(
    own: Stack, caller: Caller, port: str, window: int
) -> None:
    tenant_id = f"{port}-{window}"
    pids = (server_of(own), envoy_of(own))
    with (
        stalled_watchers(own, getattr(own, port), tenant_id, window) as watchers,
        ThreadPoolExecutor(1) as others,
    ):
        # Who may send nothing sends headers; who may send little has sent it after some updates.
        until(lambda: all(len(each.answered) == WATCHERS_EACH for each in watchers))
        warming = iter(range(10_000))

        def is_full() -> bool:
            name = f"{tenant_id}-warming-{next(warming)}"
            assert caller.post("/api/v1/metrics/events", started(tenant_id, name)).status == 200
            return all(each.data_bytes.total() >= WATCHERS_EACH * window for each in watchers)

        until(is_full, every_seconds=0.1)
        opened = next(warming)
        memory = [anonymous_mb(pid) for pid in pids]
        seeing = others.submit(last_seen, caller, tenant_id, opened + CHANGES)
        record(caller, tenant_id, 0, CHANGES)
        assert seeing.result(timeout=120) == opened + CHANGES
        grown = [anonymous_mb(pid) - before for pid, before in zip(pids, memory, strict=True)]
        print(grown)  # noqa: T201 - the figures of a failure
        assert max(grown) < GROWS_AT_MOST_MB
        for _ in range(10):
            assert caller.post("/v1/custom-metrics", POINT).status == 200
            assert caller.rpc(RECORD, POINT).code == 0
            assert caller.get("/v1/custom-metrics/aggregate", **TEN_YEARS).status == 200
        # They were there all the time, and got no more than they let come.
        assert [each.ended for each in watchers] == [set()] * CONNECTIONS
        assert {count for each in watchers for count in each.data_bytes.values()} <= {window}
    assert (server_of(own), envoy_of(own)) == pids
