"""Random events of a few hundred calls, for tests that end servers while they record."""

from __future__ import annotations

import random

from tests.conformance.live_metrics.records import Records
from tests.live_metrics.conftest import LiveApi

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.live_metrics.model import CallOutcome, Event, EventType, RejectionReason

NINE = 1_743_498_000
KINDS = (
    pb.EVENT_TYPE_PENDING,
    pb.EVENT_TYPE_ACCEPTED,
    pb.EVENT_TYPE_STARTED,
    pb.EVENT_TYPE_REJECTED,
    pb.EVENT_TYPE_ENDED,
)
EVENTS_A_REQUEST = 20


def some_events(chance: random.Random, request: int) -> list[pb.CallEvent]:
    events = []
    for number in range(EVENTS_A_REQUEST):
        event = pb.CallEvent(
            event_id=f"{request}-{number}",
            type=chance.choice(KINDS),
            call_id=f"call_{chance.randrange(400)}",
            tenant_id=chance.choice(["clinic", "garage"]),
        )
        event.occur_time.FromSeconds(NINE + chance.randrange(3_600))
        if event.type == pb.EVENT_TYPE_REJECTED:
            event.reason = pb.REJECTION_REASON_CAPACITY
        if event.type == pb.EVENT_TYPE_ENDED:
            event.outcome = pb.CALL_OUTCOME_COMPLETED
        events.append(event)
    return events


def as_event(event: pb.CallEvent) -> Event:
    return Event(
        event_id=event.event_id,
        type=EventType(event.type),
        tenant_id=event.tenant_id,
        occurred_us=event.occur_time.seconds * 1_000_000,
        call_id=event.call_id,
        reason=RejectionReason(event.reason) if event.reason else None,
        outcome=CallOutcome(event.outcome) if event.outcome else None,
    )


def lists(live: LiveApi) -> dict[str, tuple[str, str]]:
    answer = live.stub.GetCapacity(pb.GetCapacityRequest(), metadata=live.metadata)
    found = {call.call_id: (call.tenant_id, "pending") for call in answer.pending_calls}
    found |= {call.call_id: (call.tenant_id, "accepted") for call in answer.accepted_calls}
    return found | {call.call_id: (call.tenant_id, "active") for call in answer.active_calls}


def listed(oracle: Records) -> dict[str, tuple[str, str]]:
    return {
        key.call_id: (tenant, stage.name.lower()) for key, (tenant, stage) in oracle.lists().items()
    }
