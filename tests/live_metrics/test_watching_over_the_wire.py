"""Watching through Envoy: Server-Sent Events and the streaming RPC, one watcher and many."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import requests
from tests.live_metrics.conftest import PATHS, LiveApi, live_api
from tests.stack import children_of, start_stack

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

NINE = "2025-04-01T09:00:00Z"
MANY = 500
EVENTS_A_SECOND = 1_000
SECONDS = 4
AT_ONCE = 1_500


def started(tenant_id: str, number: int) -> dict[str, Any]:
    return {
        "event_id": f"{tenant_id}-{number}",
        "type": "started",
        "call_id": f"{tenant_id}-{number}",
        "tenant_id": tenant_id,
        "occurred_at": NINE,
    }


def events_of(answer: requests.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line:
            name, _, text = line.partition(b": ")
            assert name == b"data"
            yield json.loads(text)


def watch(live: LiveApi, **query: str) -> requests.Response:
    url = f"{live.stack.rest_url}{PATHS}/watch"
    return requests.get(url, params=query, headers=live.headers, stream=True, timeout=20)


def test_server_sent_events_are_the_live_json_now_and_after_each_change(live: LiveApi) -> None:
    live.record(started("sse/1 ü", 1))
    with watch(live, tenant_id="sse/1 ü", max_updates_per_second="10") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"
        told = events_of(answer)
        assert next(told) == live.get(f"{PATHS}/live/sse%2F1 ü").json()
        live.record(started("sse/1 ü", 2))
        assert next(told) == live.get(f"{PATHS}/live/sse%2F1 ü").json()
    # Who comes back is told the current state first.
    with watch(live, tenant_id="sse/1 ü") as answer:
        assert next(events_of(answer))["active_calls"] == 2


def test_the_streaming_rpc_tells_counters_and_rates(live: LiveApi) -> None:
    request = pb.WatchLiveMetricsRequest(tenant_id="rpc", max_updates_per_second=10)
    told = live.stub.WatchLiveMetrics(request, metadata=live.metadata)
    nothing = pb.LiveMetrics(ended_calls_by_outcome=pb.EndedCallsByOutcome())
    assert next(told) == pb.WatchLiveMetricsResponse(metrics=nothing, rates=pb.LiveRates())
    live.record(started("rpc", 1))
    after = next(told)
    assert after.metrics.active_calls == 1
    assert after.rates.rejection_rate == 0
    told.cancel()


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[LiveApi]:
    """A product of its own, whose memory is looked at."""
    api = live_api(start_stack(tmp_path, VUMETER_ACCESS_LOG="false"))
    yield api
    api.channel.close()
    api.stack.stop()


@pytest.mark.timeout(120)
async def test_five_hundred_watchers_end_on_the_true_state(busy: LiveApi) -> None:
    last: list[pb.WatchLiveMetricsResponse | None] = [None] * MANY
    total = EVENTS_A_SECOND * SECONDS

    async with grpc.aio.insecure_channel(busy.stack.edge_target) as channel:
        stub: Any = LiveMetricsServiceStub(channel)

        async def follow(number: int) -> None:
            tenant = "" if number % 2 else f"crowd-{number % 10}"
            request = pb.WatchLiveMetricsRequest(tenant_id=tenant)
            wanted = total if not tenant else total // 10
            async for told in stub.WatchLiveMetrics(request, metadata=busy.metadata):
                last[number] = told
                if told.metrics.active_calls == wanted:
                    return

        async def vanish() -> None:
            told = stub.WatchLiveMetrics(pb.WatchLiveMetricsRequest(), metadata=busy.metadata)
            async for _ in told:
                told.cancel()
                return

        async def requests_at_pace() -> AsyncIterator[pb.StreamEventsRequest]:
            began = time.monotonic()
            for step in range(SECONDS * 20):
                yield pb.StreamEventsRequest(events=[call(n) for n in batch(step)])
                await asyncio.sleep(max(0.0, began + (step + 1) / 20 - time.monotonic()))

        def batch(step: int) -> range:
            size = EVENTS_A_SECOND // 20
            return range(step * size, (step + 1) * size)

        def call(number: int) -> pb.CallEvent:
            event = pb.CallEvent(
                event_id=f"crowd-{number}",
                type=pb.EVENT_TYPE_STARTED,
                call_id=f"crowd-{number}",
                tenant_id=f"crowd-{number % 10}",
            )
            event.occur_time.FromJsonString(NINE)
            return event

        watchers = [asyncio.create_task(follow(number)) for number in range(MANY)]
        await asyncio.gather(*(vanish() for _ in range(20)))
        acknowledged = [
            answer.recorded
            async for answer in stub.StreamEvents(requests_at_pace(), metadata=busy.metadata)
        ]
        assert sum(acknowledged) == total
        await asyncio.wait_for(asyncio.gather(*watchers), 60)
    assert all(told is not None for told in last)
    assert memory_mb(busy) < 300


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 4 * AT_ONCE,
    reason="not enough file descriptors for so many connections",
)
async def test_many_watchers_may_come_at_one_moment(busy: LiveApi) -> None:
    host, _, port = busy.stack.edge_target.partition(":")

    async def first_line() -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(
                f"GET {PATHS}/watch HTTP/1.1\r\nHost: {host}\r\n"
                f"X-Admin-Token: {busy.stack.admin_token}\r\n\r\n".encode()
            )
            status = await reader.readline()
            await reader.readuntil(b"data: ")
            await everybody_is_there.wait()
        finally:
            writer.close()
        return status

    everybody_is_there = asyncio.Barrier(AT_ONCE)
    async with asyncio.timeout(30):
        lines = await asyncio.gather(*(first_line() for _ in range(AT_ONCE)))
    assert set(lines) == {b"HTTP/1.1 200 OK\r\n"}


def memory_mb(live: LiveApi) -> float:
    """Resident memory of the server's processes, without Envoy."""
    pages = 0
    waiting = [live.stack.process.pid]
    while waiting:
        pid = waiting.pop()
        waiting += children_of(pid)
        if "envoy" not in Path(f"/proc/{pid}/comm").read_text():
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
