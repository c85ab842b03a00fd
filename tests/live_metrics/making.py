"""Events as tests write them."""

from __future__ import annotations

from itertools import count

from tests.live_metrics.stores import NINE, SECOND

from vumeter_server.live_metrics.model import (
    CALL_EVENTS,
    CallOutcome,
    Event,
    EventType,
    RejectionReason,
)

_numbers = count(1)


def event(
    kind: EventType,
    call_id: str = "call_1",
    *,
    at: float = 0,
    tenant_id: str = "clinic",
    event_id: str | None = None,
    reason: RejectionReason = RejectionReason.CAPACITY,
    outcome: CallOutcome = CallOutcome.COMPLETED,
    minutes: float | None = None,
    sequence: int | None = None,
) -> Event:
    """Return a valid event `at` seconds after 2025-04-01T09:00:00Z."""
    return Event(
        event_id=event_id or f"event-{next(_numbers)}",
        type=kind,
        tenant_id=tenant_id,
        occurred_us=NINE + int(at * SECOND),
        call_id=call_id if kind in CALL_EVENTS else None,
        reason=reason if kind is EventType.REJECTED else None,
        outcome=outcome if kind is EventType.ENDED else None,
        minutes=minutes,
        sequence=sequence,
    )
