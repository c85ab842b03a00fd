"""What is counted: the documented metrics except the active calls, which are a state."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from vumeter_server.live_metrics.model import EventType, RejectionReason


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
)
"""The name of each metric, by `Counter`: as documented, but in milliseconds instead of minutes."""

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
