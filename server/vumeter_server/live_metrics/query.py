"""What is asked of live metrics: the rates derived from figures, and the limits of questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vumeter_server.errors import InvalidArgument
from vumeter_server.live_metrics.counters import Kind
from vumeter_server.live_metrics.history import Buckets
from vumeter_server.live_metrics.live_view import Figures
from vumeter_server.live_metrics.model import MILLISECONDS_A_MINUTE
from vumeter_server.live_metrics.validation import MAX_ID
from vumeter_server.times.ranges import check_range, count_buckets
from vumeter_server.times.units import MINUTE_US

DEFAULT_STEP: Final = "5m"
DEFAULT_STEP_US: Final = 5 * MINUTE_US
DEFAULT_UPDATES_PER_SECOND: Final = 2.0
LEAST_UPDATES_PER_SECOND: Final = 0.1
MOST_UPDATES_PER_SECOND: Final = 10.0
DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1_000
MAX_LIMIT: Final = 1_000_000


def documented(figures: Figures) -> dict[str, Any]:
    """Return the twelve documented counters by name: whole numbers, but for the minutes."""
    totals = figures.totals
    return {
        "active_calls": figures.active_calls,
        "accepted_calls": totals[Kind.ACCEPTED],
        "rejected_calls_capacity": totals[Kind.REJECTED_CAPACITY],
        "rejected_calls_tenant_not_configured": totals[Kind.REJECTED_TENANT_NOT_CONFIGURED],
        "rejected_calls_instructions_missing": totals[Kind.REJECTED_INSTRUCTIONS_MISSING],
        "instructions_db_errors": totals[Kind.INSTRUCTIONS_DB_ERROR],
        "fallback_instructions_used": totals[Kind.FALLBACK_INSTRUCTIONS_USED],
        "started_calls": totals[Kind.STARTED],
        "ended_calls": totals[Kind.ENDED],
        "failed_calls": totals[Kind.FAILED],
        "referred_calls": totals[Kind.REFERRED],
        "minutes_processed": totals[Kind.MINUTES] / MILLISECONDS_A_MINUTE,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Shares from 0 to 1, None where the denominator is 0; and what is left of a limit."""

    error_rate: float | None
    fallback_rate: float | None
    rejection_rate: float | None
    rejection_rate_capacity: float | None
    rejection_rate_tenant_not_configured: float | None
    rejection_rate_instructions_missing: float | None
    max_concurrent_calls: int | None
    headroom_calls: int | None


def rates(figures: Figures, max_concurrent_calls: int | None) -> Rates:
    """Return what operators work out from figures, as the document's interpretation says."""
    totals = figures.totals
    accepted = totals[Kind.ACCEPTED]
    rejections = totals[Kind.REJECTED_CAPACITY : Kind.REJECTED_INSTRUCTIONS_MISSING + 1]
    decided = accepted + sum(rejections)
    capacity, not_configured, missing = (_share(each, decided) for each in rejections)
    headroom = None
    if max_concurrent_calls is not None:
        headroom = max_concurrent_calls - figures.active_calls
    return Rates(
        error_rate=_share(totals[Kind.FAILED], totals[Kind.ENDED]),
        fallback_rate=_share(totals[Kind.FALLBACK_INSTRUCTIONS_USED], accepted),
        rejection_rate=_share(sum(rejections), decided),
        rejection_rate_capacity=capacity,
        rejection_rate_tenant_not_configured=not_configured,
        rejection_rate_instructions_missing=missing,
        max_concurrent_calls=max_concurrent_calls,
        headroom_calls=headroom,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def one_or_all(tenant_id: str) -> str | None:
    """Return the tenant asked for, None (all of them) if none is.

    Raises InvalidArgument if no tenant can have such an id.
    """
    if len(tenant_id) > MAX_ID:
        raise InvalidArgument.of("tenant_id", f"must be at most {MAX_ID} characters")
    return tenant_id or None


def updates_per_second(asked: float | None) -> float:
    """Return how often a watcher may be told of changes; raises InvalidArgument."""
    if asked is None:
        return DEFAULT_UPDATES_PER_SECOND
    # Written so that a NaN is refused too.
    if not LEAST_UPDATES_PER_SECOND <= asked <= MOST_UPDATES_PER_SECOND:
        raise InvalidArgument.of("max_updates_per_second", "must be a number from 0.1 to 10")
    return asked


def buckets(start_us: int, end_us: int, step_us: int, end_field: str) -> Buckets:
    """Return the buckets of a range, at most 11,000 over at most 3,660 days.

    Raises InvalidArgument naming `end_field` or `step`.
    """
    asked = check_range(start_us, end_us, end_field)
    count_buckets(asked, step_us)
    return Buckets(start_us=start_us, end_us=end_us, step_us=step_us)
