"""The events of calls, as the benchmark of live metrics streams them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import grpc
import grpc.aio

from bench.stack import ADMIN_TOKEN
from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

METADATA = (("x-admin-token", ADMIN_TOKEN),)
TENANTS = 50
LOAD_EVENTS_A_SECOND = 5_000


def whole_calls(run: str, number: int) -> Iterator[pb.CallEvent]:
    """Return the events of `number` calls, six a call, up to 10,000 calls going on at once."""
    now = int(time.time()) - 3_600
    for first in range(0, number, 10_000):
        for step in range(6):
            for call in range(first, min(first + 10_000, number)):
                event = _event(run, call, f"{run}-{call}-{step}", now + call // 100 + step * 30)
                _fill(event, step)
                yield event


def _fill(event: pb.CallEvent, step: int) -> None:
    event.type = (
        pb.EVENT_TYPE_PENDING,
        pb.EVENT_TYPE_ACCEPTED,
        pb.EVENT_TYPE_STARTED,
        pb.EVENT_TYPE_AUDIO,
        pb.EVENT_TYPE_AUDIO,
        pb.EVENT_TYPE_ENDED,
    )[step]
    if step >= 3:
        event.minutes = step - 2
    if step == 5:
        event.outcome = pb.CALL_OUTCOME_COMPLETED


def started_calls(run: str, number: int) -> Iterator[pb.CallEvent]:
    """Return an event for each of `number` calls that start and go on."""
    now = int(time.time()) - 60
    for call in range(number):
        event = _event(run, call, f"{run}-{call}", now + call % 60)
        event.type = pb.EVENT_TYPE_STARTED
        yield event


def _event(run: str, call: int, event_id: str, at: int) -> pb.CallEvent:
    event = pb.CallEvent(
        event_id=event_id, call_id=f"{run}-{call}", tenant_id=f"tenant_{call % TENANTS}"
    )
    event.occur_time.FromSeconds(at)
    return event


def batches(events: Iterator[pb.CallEvent], size: int) -> Iterator[pb.StreamEventsRequest]:
    """Return events as requests of a stream."""
    waiting = []
    for event in events:
        waiting.append(event)
        if len(waiting) == size:
            yield pb.StreamEventsRequest(events=waiting)
            waiting = []
    if waiting:
        yield pb.StreamEventsRequest(events=waiting)


async def send(
    target: str, requests_: Sequence[pb.StreamEventsRequest], events_a_second: float | None = None
) -> float:
    """Send requests over one stream, until all are acknowledged; return events a second."""

    async def paced() -> AsyncIterator[pb.StreamEventsRequest]:
        began = time.perf_counter()
        sent = 0
        for request in requests_:
            yield request
            sent += len(request.events)
            if events_a_second:
                await asyncio.sleep(max(0.0, began + sent / events_a_second - time.perf_counter()))

    recorded = 0
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = LiveMetricsServiceStub(channel)
        began = time.perf_counter()
        async for answer in stub.StreamEvents(paced(), metadata=METADATA):
            if answer.HasField("error"):
                raise SystemExit(f"rejected: {answer.error.message}")
            recorded += answer.recorded
        return recorded / (time.perf_counter() - began)


def load(target: str, run: str, seconds: float) -> None:
    """Send events at the pace of the load; for a process of its own."""
    number = int(LOAD_EVENTS_A_SECOND * seconds / 6)
    asyncio.run(send(target, list(batches(whole_calls(run, number), 100)), LOAD_EVENTS_A_SECOND))
