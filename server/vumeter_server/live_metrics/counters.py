"""What is counted: the documented metrics except the active calls, and calls by their outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from vumeter_server.live_metrics.model import CallOutcome, EventType, RejectionReason


class Counter(IntEnum):
    """A counted metric; the numbers are positions in counters and are stored."""

    ACCEPTED = 0
    REJECTED_CAPACITY = 1
    REJECTED_TENANT_NOT_CONFIGURED = 2
    REJECTED_INSTRUCTIONS_MISSING = 3
    INSTRUCTIONS_DB_ERROR = 4
    FALLBACK_INSTRUCTIONS_USED = 5
    STARTED = 6
    ENDED = 7
    FAILED = 8
    REFERRED = 9
    MINUTES = 10
    HUNG_UP = 11
    NO_ANSWER = 12
    BUSY = 13
    CANCELED = 14
    VOICEMAIL = 15
    TIMED_OUT = 16


COLUMNS = (
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
"""The name of each metric, by `Counter`: as documented, but in milliseconds instead of minutes."""

END_OF: Mapping[CallOutcome, Counter] = {
    CallOutcome.COMPLETED: Counter.ENDED,
    CallOutcome.HUNG_UP: Counter.HUNG_UP,
    CallOutcome.FAILED: Counter.FAILED,
    CallOutcome.NO_ANSWER: Counter.NO_ANSWER,
    CallOutcome.BUSY: Counter.BUSY,
    CallOutcome.CANCELED: Counter.CANCELED,
    CallOutcome.VOICEMAIL: Counter.VOICEMAIL,
    CallOutcome.TIMED_OUT: Counter.TIMED_OUT,
}
"""As what a call counts that ended so, beside what that counts as too."""

COUNTS_AS: Mapping[Counter, tuple[Counter, ...]] = {kind: (kind,) for kind in Counter} | {
    Counter.HUNG_UP: (Counter.ENDED, Counter.HUNG_UP),
    Counter.FAILED: (Counter.ENDED, Counter.FAILED),
    Counter.NO_ANSWER: (Counter.ENDED, Counter.NO_ANSWER),
    Counter.BUSY: (Counter.ENDED, Counter.BUSY),
    Counter.CANCELED: (Counter.ENDED, Counter.CANCELED),
    Counter.VOICEMAIL: (Counter.ENDED, Counter.VOICEMAIL),
    Counter.TIMED_OUT: (Counter.ENDED, Counter.FAILED, Counter.TIMED_OUT),
}
"""The metrics that a thing of each kind counts into."""

REJECTED = {
    RejectionReason.CAPACITY: Counter.REJECTED_CAPACITY,
    RejectionReason.TENANT_NOT_CONFIGURED: Counter.REJECTED_TENANT_NOT_CONFIGURED,
    RejectionReason.INSTRUCTIONS_MISSING: Counter.REJECTED_INSTRUCTIONS_MISSING,
}

WITHOUT_CALL = {
    EventType.INSTRUCTIONS_DB_ERROR: Counter.INSTRUCTIONS_DB_ERROR,
    EventType.FALLBACK_INSTRUCTIONS_USED: Counter.FALLBACK_INSTRUCTIONS_USED,
}
"""The events that belong to no call, and what each counts as."""

Counters = tuple[int, ...]
"""One number for each `Counter`."""

ZERO: Counters = (0,) * len(Counter)


def counters(amounts: Iterable[tuple[Counter, int]]) -> Counters:
    """Return counters that hold the sums of `amounts`."""
    counted = [0] * len(Counter)
    for kind, amount in amounts:
        counted[kind] += amount
    return tuple(counted)


def plus(left: Counters, right: Counters) -> Counters:
    """Return the sums."""
    return tuple([a + b for a, b in zip(left, right, strict=True)])


def minus(left: Counters, right: Counters) -> Counters:
    """Return the differences."""
    return tuple([a - b for a, b in zip(left, right, strict=True)])
