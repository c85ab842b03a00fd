"""What call servers report: one record for every type of event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MILLISECONDS_PER_MINUTE = 60_000


class EventType(IntEnum):
    """What happened; the numbers are those of the stored rows, and no others."""

    PENDING = 1
    ACCEPTED = 2
    REJECTED = 3
    STARTED = 4
    AUDIO = 5
    REFERRED = 6
    ENDED = 7
    INSTRUCTIONS_DB_ERROR = 8
    FALLBACK_INSTRUCTIONS_USED = 9
    CLOSED = 10
    """Made by the server: no event of the call was received for too long."""


CALL_EVENTS = frozenset(
    {
        EventType.PENDING,
        EventType.ACCEPTED,
        EventType.REJECTED,
        EventType.STARTED,
        EventType.AUDIO,
        EventType.REFERRED,
        EventType.ENDED,
    }
)


class RejectionReason(IntEnum):
    """Why a call was turned away; the numbers are those of the stored rows, and no others."""

    CAPACITY = 1
    TENANT_NOT_CONFIGURED = 2
    INSTRUCTIONS_MISSING = 3


class CallOutcome(IntEnum):
    """How a call ended; the numbers are those of the stored rows, and no others."""

    COMPLETED = 1
    HUNG_UP = 2
    FAILED = 3
    NO_ANSWER = 4
    BUSY = 5
    CANCELED = 6
    VOICEMAIL = 7
    TIMED_OUT = 8
    """Given by the server: no event of the call was received for too long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One reported event, checked: fields that its type does not use are None.

    `occurred_us` is Unix time in microseconds; `minutes` is the call's total so far; `sequence` is
    the event's position among those of its source.
    """

    event_id: str
    type: EventType
    tenant_id: str
    occurred_us: int
    call_id: str | None = None
    reason: RejectionReason | None = None
    outcome: CallOutcome | None = None
    minutes: float | None = None
    sequence: int | None = None

    @property
    def minutes_ms(self) -> int | None:
        """The reported minutes in whole milliseconds, halves rounded up."""
        if self.minutes is None:
            return None
        return int(self.minutes * MILLISECONDS_PER_MINUTE + 0.5)
