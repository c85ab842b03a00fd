"""What a set of events says of one call, by brute force.

Nothing here is shared with the server but the events it is given, and nothing is clever: each
answer is computed from its definition, so that it can be read against the contract.
"""

from __future__ import annotations

from dataclasses import dataclass

from vumeter_server.live_metrics.model import Event, EventType, RejectionReason

T = EventType
METRICS = (
    "accepted_calls",
    "rejected_calls_capacity",
    "rejected_calls_tenant_not_configured",
    "rejected_calls_instructions_missing",
    "instructions_db_errors",
    "fallback_instructions_used",
    "started_calls",
    "ended_calls",
    "failed_calls",
    "referred_calls",
    "minutes_ms",
    "hung_up_calls",
    "no_answer_calls",
    "busy_calls",
    "canceled_calls",
    "voicemail_calls",
    "timed_out_calls",
)
# Metrics of the ends of calls, by the outcome in words; "completed" has none of its own.
ENDS = {
    "completed": ("ended_calls",),
    "hung_up": ("ended_calls", "hung_up_calls"),
    "failed": ("ended_calls", "failed_calls"),
    "no_answer": ("ended_calls", "no_answer_calls"),
    "busy": ("ended_calls", "busy_calls"),
    "canceled": ("ended_calls", "canceled_calls"),
    "voicemail": ("ended_calls", "voicemail_calls"),
    "timed_out": ("ended_calls", "failed_calls", "timed_out_calls"),
}
REJECTED = {
    RejectionReason.CAPACITY: "rejected_calls_capacity",
    RejectionReason.TENANT_NOT_CONFIGURED: "rejected_calls_tenant_not_configured",
    RejectionReason.INSTRUCTIONS_MISSING: "rejected_calls_instructions_missing",
}


def place(event: Event) -> tuple[object, ...]:
    """Where an event stands in the order of events: one without a sequence comes last."""
    return (event.occurred_us, event.sequence is None, event.sequence or 0, event.event_id)


@dataclass(kw_only=True)
class CallFacts:
    """What a set of events says of one call."""

    events: list[Event]
    closed_us: int | None = None

    def of(self, *types: EventType) -> list[Event]:
        found = [event for event in self.events if event.type in types]
        return sorted(found, key=place)

    @property
    def tenant_id(self) -> str:
        return min(self.events, key=place).tenant_id

    @property
    def started(self) -> int | None:
        return self.of(T.STARTED)[0].occurred_us if self.of(T.STARTED) else None

    @property
    def accepted(self) -> int | None:
        found = self.of(T.ACCEPTED, T.STARTED)
        return found[0].occurred_us if found else None

    @property
    def referred(self) -> int | None:
        return self.of(T.REFERRED)[0].occurred_us if self.of(T.REFERRED) else None

    @property
    def ended(self) -> int | None:
        return self.of(T.ENDED)[0].occurred_us if self.of(T.ENDED) else self.closed_us

    @property
    def counted_ends(self) -> tuple[str, ...]:
        """The metrics that count its end, none if it goes on."""
        if not self.of(T.ENDED):
            return () if self.closed_us is None else ENDS["timed_out"]
        outcome = self.of(T.ENDED)[0].outcome
        assert outcome is not None
        return ENDS[outcome.name.lower()]

    @property
    def rejection(self) -> Event | None:
        if self.accepted is not None or self.ended is not None or not self.of(T.REJECTED):
            return None
        return self.of(T.REJECTED)[0]

    @property
    def raises(self) -> list[tuple[int, int]]:
        """When its minutes grew, and by how many milliseconds."""
        reports = [event for event in self.of(T.AUDIO, T.ENDED) if event.minutes is not None]
        if not reports:
            ends = self.of(T.ENDED)
            if not ends or self.started is None:
                return []
            end = ends[0].occurred_us
            return [(end, max(0, end - self.started) // 1_000)]
        grown, so_far = [], 0
        for event in reports:
            minutes = event.minutes_ms or 0
            if minutes > so_far:
                grown.append((event.occurred_us, minutes - so_far))
                so_far = minutes
        return grown

    @property
    def minutes_ms(self) -> int:
        return sum(amount for _, amount in self.raises)

    @property
    def list_name(self) -> str | None:
        if self.ended is not None:
            return None
        if self.started is not None:
            return "active"
        if self.accepted is not None:
            return "accepted"
        if self.of(T.PENDING) and not self.of(T.REJECTED):
            return "pending"
        return None
