"""What is counted: the documented figures but for the active calls, which are a state."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from vumeter_server.live_metrics.model import RejectionReason


class Kind(IntEnum):
    """A counted figure; the numbers are positions in counters and are stored."""

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
"""The name of each figure, by `Kind`: the documented ones, but milliseconds in place of minutes."""

REJECTED = {
    RejectionReason.CAPACITY: Kind.REJECTED_CAPACITY,
    RejectionReason.TENANT_NOT_CONFIGURED: Kind.REJECTED_TENANT_NOT_CONFIGURED,
    RejectionReason.INSTRUCTIONS_MISSING: Kind.REJECTED_INSTRUCTIONS_MISSING,
}

Counters = tuple[int, ...]
"""One number for each `Kind`."""

ZERO: Counters = (0,) * len(Kind)


def counters(amounts: Iterable[tuple[Kind, int]]) -> Counters:
    """Return counters that hold the sums of `amounts`."""
    counted = [0] * len(Kind)
    for kind, amount in amounts:
        counted[kind] += amount
    return tuple(counted)


def plus(left: Counters, right: Counters) -> Counters:
    """Return the sums."""
    return tuple([a + b for a, b in zip(left, right, strict=True)])


def minus(left: Counters, right: Counters) -> Counters:
    """Return the differences."""
    return tuple([a - b for a, b in zip(left, right, strict=True)])
