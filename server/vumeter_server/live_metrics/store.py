"""The contract of storage for live metrics: what every store promises, in words.

A store keeps received events and everything that follows from them by the rules of `fold`. It is
opened for one service start (epoch), by one process, or by several servers where the storage is
made for that: then all of them have one epoch, and what is promised holds over all of them
together. All methods are called in one event loop, any number of them at the same time. Times are
Unix times in microseconds.

**What the live view sees.** Each committed write is one `Change`. The store hands it to every
follower in the order of the commits, in the event loop, before the method that wrote it returns,
and also if the caller of that method has gone meanwhile. So a follower that applies each change
always equals the committed state, and whoever got an answer finds it in the view. What other
servers write comes into the view in the same order, soon by itself, and at once by `catch_up`.

**What a query sees.** A query that begins after a write returned sees that write. It sees a whole
number of writes, never a part of one.

**What survives a restart**, whichever way the process ended: every write that returned, with the
lists of calls, tenants, limits and history. Totals survive in the same epoch and begin at 0 in a
new one. A write that had not returned is there as a whole or not at all.

**Errors.** Every method raises Unavailable if the storage is busy, full or failing, or if too many
calls wait for it. A write that raised has changed nothing; over a network it may also have been
written as a whole. The same call can be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vumeter_server.live_metrics.fold import Change
from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.model import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A tenant, its last event and its limit; times in microseconds, None if there was no event."""

    tenant_id: str
    last_occurred_us: int | None
    """The latest `occurred_us` of its events."""
    last_received_us: int | None
    """When its last event was received that was no repeat."""
    max_concurrent_calls: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantContents:
    """How many events and calls of a tenant are kept, or were deleted."""

    events: int
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsQuery:
    """Says which events are exported: of a tenant, or of all; that occurred in a range, half-open.

    They are those behind the place `after`, up to the place `through`, None for all by now.
    """

    tenant_id: str | None = None
    start_us: int = 0
    end_us: int = 2**62
    after: int = 0
    through: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsPage:
    """Some events, maybe none; there are more unless `after` is `through`.

    `share` says about how much of what is asked for was read up to here, from 0 to 1.
    """

    events: Sequence[Event]
    after: int
    through: int
    share: float


class LiveStore(Protocol):
    """Events, and everything that follows from them."""

    async def follow(self, listener: Callable[[Change], None]) -> None:
        """Hand everything that is live to `listener` as one change from nothing, then each change.

        No change is missing in between and none comes twice. The first one is handed over before
        this returns.
        """

    async def catch_up(self) -> None:
        """Return once followers have got every write that had returned on any server before."""

    async def record(self, events: Sequence[Event], only_tenant: str | None = None) -> None:
        """Record all of `events` or none; they count as received now, in their order.

        Events are checked already (`validation.check`). The result does not depend on the order of
        events nor on how they are split into batches. An event that was received before, here or
        earlier in `events`, is a repeat and changes nothing, not even the time at which its call or
        tenant was last received. An empty batch changes nothing.

        Raises PermissionDenied if `only_tenant` is given and an event is of a call that is known
        and belongs to another tenant. Else raises Conflict if an event id was used before with
        other content, as long as the event that used it is kept; the violation names the first such
        event as `events[index].event_id`.
        """

    async def close_stuck(self, quiet_since_us: int) -> int:
        """Close each listed call whose last event was received at `quiet_since_us` or before.

        An accepted or active call ends with the outcome TIMED_OUT, at the time of the store's
        clock, and counts as an ended and a failed call of this epoch and in history. A later
        `ended` event replaces that end. A pending call leaves its list until another event of it is
        received. Returns how many calls left a list. The work is done in several writes, the calls
        that are quiet for longest first. It can be cut short and repeated.
        """

    async def history(self, tenant_id: str | None, buckets: Buckets) -> Sequence[Bucket]:
        """Return every bucket in order, of all tenants together if `tenant_id` is None.

        Counts, minutes (in milliseconds), active calls and peaks are exact, whether or not their
        peaks were computed before. The history of a tenant that is not known is all zeros. The
        caller has checked the number of buckets (`query.buckets`).
        """

    async def tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        """Return up to `limit` tenants whose ids come after `after`, sorted by id.

        Ids are compared by Unicode code point. A tenant is known once it sent an event or was given
        a limit, and stays known when its events are dropped.
        """

    async def events(self, asked: EventsQuery) -> EventsPage:
        """Return up to 1,000 events as they were reported, in the order in which they came.

        A place is a number that grows with every event. Following pages with the `after` and the
        `through` of the one before, one gets every event once that was received before the first
        page and was not dropped meanwhile. What the server made itself is not among them.
        """

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> Tenant:
        """Set a tenant's limit, or remove it with None, and return the tenant, known or new."""

    async def delete_tenant(self, tenant_id: str) -> TenantContents | None:
        """Delete a tenant; return how many events and calls it had, None if it is not known.

        Its calls go with everything received of them, its events, its limit, and its part in lists,
        totals and history, also in those of all tenants together. A call belongs to the tenant of
        its earliest event. Of an event that the tenant sent for a call of another one, the record
        goes; the call stays as it is.

        All or nothing: queries and followers see all of it until, at one moment, none of it. When
        it returns, nothing is left, and no crash brings it back. If it is cut short, or raises, it
        is open whether the tenant is deleted now, later or not at all, but never a part of it;
        calling it again makes sure, and `finish_deletions` does the rest.

        What is received before that moment is deleted, what is received after it is recorded, as of
        a tenant that was not known. The ids of what was deleted are free again.
        """

    async def tenant_contents(self, tenant_id: str) -> TenantContents | None:
        """Return what `delete_tenant` would delete, None if the tenant is not known."""

    async def finish_deletions(self) -> None:
        """Carry out the deletions that a command asked for, and those that were cut short."""

    async def has_received_before(self, before_us: int) -> bool:
        """Return whether an event is kept that was received before `before_us`."""

    async def drop_received_before(self, before_us: int) -> None:
        """Drop events that were received before `before_us`, and the calls that need none of them.

        A call is dropped if it is in no list and its last event was received before `before_us`.
        Its whole history goes with it. A call that is kept keeps its whole history. An event
        without a call leaves history when it is dropped. Totals, lists, tenants and limits stay, so
        no follower gets a change. The id of a dropped event is free again. The work is done in
        several writes. It can be cut short and repeated.
        """

    async def compute_peaks(self) -> int:
        """Compute peaks of past minutes and hours in advance, some of those that are missing.

        Returns how many, 0 when none is missing. It changes no answer, only what answers cost.
        """


class TenantAdministration(Protocol):
    """What the commands ask of storage, beside a running server or without one.

    Raises an error with one line for the operator when storage is busy, full or failing.
    """

    def contents(self, tenant_id: str) -> TenantContents | None:
        """Return what a tenant has, None if it is not known."""

    def delete(self, tenant_id: str) -> TenantContents:
        """Delete a tenant as `LiveStore.delete_tenant`, and return what it had, maybe nothing.

        Totals of the others stay those of the last service start.
        """
