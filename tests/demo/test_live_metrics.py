"""The demo's call server: what it reports is a plausible day, told in valid events."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.demo.live_metrics import STRANGER, TENANTS, CallServer, hang_up
from vumeter_server.live_metrics.grpc_api import sent_event
from vumeter_server.live_metrics.validation import check

# Of the rarest kind, one in a hundred calls, there are then about 15.
EVENTS = 10_000


async def play_events(rng: random.Random) -> list[pb.CallEvent]:
    """Play until there are `EVENTS`, however long this machine takes."""
    told: list[pb.CallEvent] = []
    enough = asyncio.Event()

    def report(event: pb.CallEvent) -> None:
        told.append(event)
        if len(told) == EVENTS:
            enough.set()

    # The pauses are shrunk, so a second is about an hour.
    playing = asyncio.create_task(CallServer(report=report, rng=rng, speed=3_600).play())
    try:
        async with asyncio.timeout(60):
            await enough.wait()
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
    return told[:EVENTS]


async def test_some_hours_of_calls_are_valid_and_hold_every_kind_of_event() -> None:
    played = await play_events(random.Random(4))
    events = check([sent_event(event) for event in played], 2**60)
    kinds = Counter(event.type.name for event in events)
    assert kinds.keys() == {
        "PENDING",
        "ACCEPTED",
        "REJECTED",
        "STARTED",
        "AUDIO",
        "REFERRED",
        "ENDED",
        "INSTRUCTIONS_DB_ERROR",
        "FALLBACK_INSTRUCTIONS_USED",
    }
    assert {event.outcome.name for event in events if event.outcome is not None} == {
        "COMPLETED",
        "HUNG_UP",
        "FAILED",
        "CANCELED",
        "NO_ANSWER",
        "BUSY",
        "VOICEMAIL",
    }
    assert {event.tenant_id for event in events} == {
        tenant.tenant_id for tenant in (*TENANTS, STRANGER)
    }
    assert all(event.tenant_id.startswith("demo_") for event in events)
    assert len({event.event_id for event in events}) == len(events)


def test_calls_of_an_earlier_play_are_ended_and_nobody_elses() -> None:
    left = pb.ListedCall(call_id="demo_1_7", tenant_id="demo_harbour_dental")
    others = pb.ListedCall(call_id="call_1", tenant_id="clinic")
    capacity = pb.GetCapacityResponse(
        active_calls=[left, others], accepted_calls=[left, others], pending_calls=[others]
    )
    (event,) = check([sent_event(event) for event in hang_up(capacity)], 2**60)
    assert (event.call_id, event.type.name) == ("demo_1_7", "ENDED")
