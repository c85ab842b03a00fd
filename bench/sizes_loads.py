"""What fills a product to an odd size, in a process of its own: `python -m bench.sizes_loads`.

It reads nothing and prints one line of JSON: how many, and in how many seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
import grpc.aio

from bench import streams
from bench.live_events import METADATA, batches, started_calls
from bench.sizes_keys import bearer_of
from bench.stack import Stack
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub
from vumeter.simulation.v1 import simulation_pb2 as simulation_pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub

POINTS_A_BATCH = 10_000
EVENTS_A_BATCH = 1_000
CALLS_A_BATCH = 1_000


def columns(first: int, count: int, now_us: int, *, sessions: bool) -> bytes:
    """Return a batch of points, each of a session or with a label value of its own."""
    places = range(first, first + count)
    batch = pb.PointColumns(
        names=["odd"],
        name_indexes=[0] * count,
        values=[1.0] * count,
        times_us=[now_us - place for place in range(count)],
    )
    if sessions:
        batch.sessions.extend(f"session-{place:09}" for place in places)
        batch.session_indexes.extend(range(1, count + 1))
        batch.label_sets.add(agent_id="agent")
        batch.label_set_indexes.extend([0] * count)
    else:
        for place in places:
            batch.label_sets.add(tags={"odd": f"value-{place:09}"})
        batch.label_set_indexes.extend(range(count))
    return pb.StreamColumnsRequest(columns=batch).SerializeToString()


def record_columns(stack: Stack, count: int, *, sessions: bool) -> int:
    """Record points whose label values or sessions are all different."""
    now_us = time.time_ns() // 1_000

    def encoded() -> Iterator[bytes]:
        for first in range(0, count, POINTS_A_BATCH):
            yield columns(first, min(POINTS_A_BATCH, count - first), now_us, sessions=sessions)

    return streams.record(stack, "StreamColumns", list(encoded())).points


def record_points(stack: Stack, count: int) -> int:
    """Record batches of one point each, over one stream."""
    point = pb.Point(name="odd", value=1, agent_id="agent")
    batch = pb.StreamPointsRequest(points=[point]).SerializeToString()
    return streams.record(stack, "StreamPoints", (batch for _ in range(count))).points


def record_by_each(stack: Stack, count: int) -> int:
    """Record a point by each of so many organizations of `sizes_keys`."""

    async def record() -> int:
        free = asyncio.Semaphore(streams.IN_FLIGHT)
        request = pb.RecordPointsRequest(points=[pb.Point(name="odd", value=1)])
        async with grpc.aio.insecure_channel(stack.grpc_target) as channel:
            stub: Any = CustomMetricsServiceStub(channel)

            async def record_one(number: int) -> int:
                async with free:
                    metadata = (("authorization", f"Bearer {bearer_of(number)}"),)
                    answer = await stub.RecordPoints(request, metadata=metadata)
                    return int(answer.recorded)

            return sum(await asyncio.gather(*map(record_one, range(count))))

    return asyncio.run(record())


def start_calls(stack: Stack, count: int) -> int:
    """Start calls that go on, of 50 tenants."""
    return _report(stack, batches(started_calls("odd", count), EVENTS_A_BATCH))


def of_tenants(stack: Stack, count: int) -> int:
    """Start a call of each of so many tenants."""

    def events() -> Iterator[live_pb.CallEvent]:
        for number, event in enumerate(started_calls("tenants", count)):
            event.tenant_id = f"odd-{number:06}"
            yield event

    return _report(stack, batches(events(), EVENTS_A_BATCH))


def _report(stack: Stack, requests: Iterable[live_pb.StreamEventsRequest]) -> int:
    with grpc.insecure_channel(stack.grpc_target) as channel:
        stub: Any = LiveMetricsServiceStub(channel)
        answers = stub.StreamEvents(iter(list(requests)), metadata=METADATA)
        return sum(answer.recorded for answer in answers)


def record_calls(stack: Stack, count: int) -> int:
    """Record so many simulated calls of one execution."""
    execution = str(uuid.uuid4())
    key_id, _, secret = stack.bearer.partition(".")
    metadata = (("x-api-key", key_id), ("x-secret-key", secret))

    def requests() -> Iterator[simulation_pb.StreamCallsRequest]:
        for first in range(0, count, CALLS_A_BATCH):
            calls = [
                simulation_pb.Call(
                    call_execution_id=str(uuid.uuid4()),
                    execution_id=execution,
                    duration_seconds=number % 300,
                    latency=simulation_pb.CallLatency(avg_agent_latency_ms=number % 3_000),
                )
                for number in range(first, min(first + CALLS_A_BATCH, count))
            ]
            yield simulation_pb.StreamCallsRequest(calls=calls)

    with grpc.insecure_channel(stack.grpc_target) as channel:
        stub: Any = SimulationServiceStub(channel)
        made = simulation_pb.Execution(execution_id=execution, run_test_name="odd")
        request = simulation_pb.RecordExecutionRequest(execution=made)
        stub.RecordExecution(request, metadata=metadata)
        answers = stub.StreamCalls(iter(list(requests())), metadata=metadata)
        return sum(answer.recorded for answer in answers)


LOADS: dict[str, Callable[[Stack, int], int]] = {
    "values": lambda stack, count: record_columns(stack, count, sessions=False),
    "sessions": lambda stack, count: record_columns(stack, count, sessions=True),
    "one-point": record_points,
    "organizations": record_by_each,
    "active-calls": start_calls,
    "tenants": of_tenants,
    "calls": record_calls,
}


def main() -> None:
    """Run one load."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizes_loads", description=__doc__)
    parser.add_argument("load", choices=LOADS)
    parser.add_argument("count", type=int)
    parser.add_argument("target")
    parser.add_argument("bearer")
    given = parser.parse_args()
    stack = Stack(
        rest_url="", grpc_target=given.target, bearer=given.bearer, pid=0, ready_after_seconds=0
    )
    started = time.perf_counter()
    recorded = LOADS[given.load](stack, given.count)
    print(json.dumps({"recorded": recorded, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
