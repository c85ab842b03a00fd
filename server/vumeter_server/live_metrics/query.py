"""The use case of asking: live metrics, derived rates, lists, history and tenants."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vumeter_server.access.audit import AuditLog
from vumeter_server.errors import InvalidArgument, PermissionDenied
from vumeter_server.live_metrics.counters import END_OF, Counter, Counters
from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.live_view import Capacity, LiveValues, LiveView, Waiting
from vumeter_server.live_metrics.model import MILLISECONDS_PER_MINUTE, CallOutcome
from vumeter_server.live_metrics.store import EventsPage, EventsQuery, LiveStore, Tenant
from vumeter_server.live_metrics.validation import MAX_ID, id_problem
from vumeter_server.live_metrics.watching import watch
from vumeter_server.runtime.actors import Actor
from vumeter_server.times.ranges import check_range, count_buckets
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import MINUTE_US

DEFAULT_STEP: Final = "5m"
DEFAULT_STEP_US: Final = 5 * MINUTE_US
DEFAULT_UPDATES_PER_SECOND: Final = 2.0
LEAST_UPDATES_PER_SECOND: Final = 0.1
MOST_UPDATES_PER_SECOND: Final = 10.0
DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1_000
MAX_LIMIT: Final = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveQueries:
    """Answers from the live view what is live, and from the store what is past."""

    store: LiveStore
    view: LiveView
    audit: AuditLog

    async def catch_up(self) -> None:
        """Let the view show every recording that any server acknowledged before."""
        await self.store.catch_up()

    def values(self, tenant_id: str | None) -> LiveValues:
        """Return the values of a tenant, of all tenants together if `tenant_id` is None."""
        return self.view.values(tenant_id)

    def rates(self, values: LiveValues, tenant_id: str | None) -> Rates:
        """Return the rates of `values`, which are those of `tenant_id` (of all if None)."""
        return rates(values, self.view.limit(tenant_id) if tenant_id is not None else None)

    def capacity(self) -> Capacity:
        """Return the lists of calls."""
        return self.view.capacity()

    def watch(
        self, tenant_id: str | None, max_per_second: float
    ) -> AsyncGenerator[LiveValues, None]:
        """Yield the values of a tenant (of all if None) now and as they change."""
        return watch(self.view, tenant_id, max_per_second)

    async def history(self, tenant_id: str | None, asked: Buckets) -> Sequence[Bucket]:
        """Return every bucket, of all tenants together if `tenant_id` is None."""
        return await self.store.history(tenant_id, asked)

    async def events(self, actor: Actor, asked: EventsQuery) -> AsyncGenerator[EventsPage, None]:
        """Yield pages of events up to the last by now; those without an event, too."""
        if asked.end_us < asked.start_us:
            raise InvalidArgument.of("end_time", "must not be before start_time")
        await self.audit.append(
            actor, "events.export", target=asked.tenant_id or "", details=_in_words(asked)
        )
        page = None
        while page is None or page.after < page.through:
            page = await self.store.events(asked)
            yield page
            asked = replace(asked, after=page.after, through=page.through)

    async def tenants(self, after: str, size: int) -> Sequence[Tenant]:
        """Return up to `size` tenants whose ids come after `after`, sorted by id."""
        return await self.store.tenants(after, size)

    def waiting(self, tenant_id: str) -> Waiting:
        """Return how many calls of a tenant wait, in which way."""
        return self.view.waiting(tenant_id)

    async def set_limit(self, actor: Actor, tenant_id: str, limit: int | None) -> Tenant:
        """Set or remove a tenant's limit; raises InvalidArgument."""
        if problem := id_problem(tenant_id):
            raise InvalidArgument.of("tenant_id", problem)
        if limit is not None and limit > MAX_LIMIT:
            raise InvalidArgument.of("max_concurrent_calls", f"must be at most {MAX_LIMIT:,}")
        if limit is not None and limit < 0:
            raise InvalidArgument.of("max_concurrent_calls", "must not be negative")
        await self.audit.append(
            actor, "tenant.set_limit", target=tenant_id, details={"max_concurrent_calls": limit}
        )
        return await self.store.set_limit(tenant_id, limit)


def _in_words(asked: EventsQuery) -> dict[str, Any]:
    """Return which events are asked for as plain values for the audit; their tenant is apart."""
    whole, words = EventsQuery(), dict[str, Any]()
    if asked.start_us != whole.start_us:
        words["start"] = format_rfc3339(asked.start_us)
    if asked.end_us != whole.end_us:
        words["end"] = format_rfc3339(asked.end_us)
    if asked.after != whole.after:
        words["goes_on"] = True
    return words


def documented(values: LiveValues) -> dict[str, Any]:
    """Return the twelve documented counters by name: whole numbers, but for the minutes."""
    totals = values.totals
    return {
        "active_calls": values.active_calls,
        "accepted_calls": totals[Counter.ACCEPTED],
        "rejected_calls_capacity": totals[Counter.REJECTED_CAPACITY],
        "rejected_calls_tenant_not_configured": totals[Counter.REJECTED_TENANT_NOT_CONFIGURED],
        "rejected_calls_instructions_missing": totals[Counter.REJECTED_INSTRUCTIONS_MISSING],
        "instructions_db_errors": totals[Counter.INSTRUCTIONS_DB_ERROR],
        "fallback_instructions_used": totals[Counter.FALLBACK_INSTRUCTIONS_USED],
        "started_calls": totals[Counter.STARTED],
        "ended_calls": totals[Counter.ENDED],
        "failed_calls": totals[Counter.FAILED],
        "referred_calls": totals[Counter.REFERRED],
        "minutes_processed": totals[Counter.MINUTES] / MILLISECONDS_PER_MINUTE,
    }


def ended_by_outcome(totals: Counters) -> dict[CallOutcome, int]:
    """Return how many calls ended with each outcome; together they are the calls that ended."""
    counted = {outcome: totals[kind] for outcome, kind in END_OF.items()}
    # Everything that ended counts as ENDED, and a call that timed out as failed too.
    counted[CallOutcome.FAILED] -= counted[CallOutcome.TIMED_OUT]
    others = sum(counted.values()) - counted[CallOutcome.COMPLETED]
    counted[CallOutcome.COMPLETED] -= others
    return counted


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


def rates(values: LiveValues, max_concurrent_calls: int | None) -> Rates:
    """Return what operators derive from values, as the document's interpretation says."""
    totals = values.totals
    accepted = totals[Counter.ACCEPTED]
    rejections = totals[Counter.REJECTED_CAPACITY : Counter.REJECTED_INSTRUCTIONS_MISSING + 1]
    decided = accepted + sum(rejections)
    capacity, not_configured, missing = (_share(each, decided) for each in rejections)
    headroom = None
    if max_concurrent_calls is not None:
        headroom = max_concurrent_calls - values.active_calls
    return Rates(
        error_rate=_share(totals[Counter.FAILED], totals[Counter.ENDED]),
        fallback_rate=_share(totals[Counter.FALLBACK_INSTRUCTIONS_USED], accepted),
        rejection_rate=_share(sum(rejections), decided),
        rejection_rate_capacity=capacity,
        rejection_rate_tenant_not_configured=not_configured,
        rejection_rate_instructions_missing=missing,
        max_concurrent_calls=max_concurrent_calls,
        headroom_calls=headroom,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def one_or_all(tenant_id: str, only_tenant: str | None) -> str | None:
    """Return the tenant asked for, None (all of them) if none is.

    Raises PermissionDenied if the caller may see `only_tenant`, and that is not what was asked for;
    InvalidArgument if no tenant can have such an id.
    """
    if only_tenant is not None and tenant_id != only_tenant:
        raise PermissionDenied
    if len(tenant_id) > MAX_ID:
        raise InvalidArgument.of("tenant_id", f"must be at most {MAX_ID} characters")
    return tenant_id or None


def given_one_or_all(tenant_id: str, only_tenant: str | None) -> str | None:
    """Return the same where the tenant is a parameter, which `only_tenant` makes required."""
    if only_tenant is not None and not tenant_id:
        raise InvalidArgument.of("tenant_id", "must be given, since the key is for one tenant")
    return one_or_all(tenant_id, only_tenant)


def updates_per_second(asked: float | None) -> float:
    """Return how often a watcher gets changes at most; raises InvalidArgument."""
    if asked is None:
        return DEFAULT_UPDATES_PER_SECOND
    # Written so that NaN is rejected too.
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
