"""The store in memory, by brute force: the oracle of the suite.

It keeps all events that were ever received and computes every answer from them, so what a write
changes is the difference of two answers. It shares the contract and its records with the server,
and none of its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.conformance.live_metrics.call_facts import METRICS
from tests.conformance.live_metrics.records import Records

from vumeter_server.errors import PermissionDenied
from vumeter_server.live_metrics.fold import Change, Listing
from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import EventsPage, EventsQuery, Tenant, TenantContents
from vumeter_server.runtime.clock import Clock

EVENTS_A_PAGE = 1_000


class MemoryLiveStore:
    """Implements LiveStore on records in memory."""

    def __init__(
        self, records: Records, clock: Clock, epoch_id: str, counted_from_us: int = 0
    ) -> None:
        self._records = records
        self._clock = clock
        self._listeners: list[Callable[[Change], None]] = []
        records.start(epoch_id, counted_from_us)
        self._shown = self._live()

    async def follow(self, listener: Callable[[Change], None]) -> None:
        lists, totals, limits = self._live()
        self._listeners.append(listener)
        listener(Change(listings=lists, totals=totals, limits=limits))

    async def catch_up(self) -> None:
        """Nobody else writes."""

    async def record(self, events: Sequence[Event], only_tenant: str | None = None) -> None:
        self._records.check_available()
        if only_tenant is not None and self._records.tenants_of_calls(events) - {only_tenant}:
            raise PermissionDenied
        self._records.receive(events, self._clock())
        self._publish()

    async def close_stuck(self, quiet_since_us: int) -> int:
        self._records.check_available()
        closed = self._records.close(quiet_since_us, self._clock())
        self._publish()
        return closed

    async def history(self, tenant_id: str | None, buckets: Buckets) -> Sequence[Bucket]:
        return self._records.history(tenant_id, buckets)

    async def tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        known = self._records.tenants
        return [known[each] for each in sorted(known) if each > after][:limit]

    async def events(self, asked: EventsQuery) -> EventsPage:
        received = self._records.received
        through = len(received) if asked.through is None else asked.through
        chosen = [
            (place, each.event)
            for place, each in enumerate(received, start=1)
            if asked.after < place <= through
            and not each.dropped
            and asked.tenant_id in (None, each.event.tenant_id)
            and asked.start_us <= each.event.occurred_us < asked.end_us
        ]
        page = chosen[:EVENTS_A_PAGE]
        after = page[-1][0] if len(chosen) > len(page) else through
        return EventsPage(
            events=[event for _, event in page],
            after=after,
            through=through,
            share=after / through if through else 1.0,
        )

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> Tenant:
        self._records.check_available()
        known = self._records.tenants.get(tenant_id)
        tenant = Tenant(
            tenant_id=tenant_id,
            last_occurred_us=None if known is None else known.last_occurred_us,
            last_received_us=None if known is None else known.last_received_us,
            max_concurrent_calls=max_concurrent_calls,
        )
        self._records.tenants[tenant_id] = tenant
        self._publish()
        return tenant

    async def delete_tenant(self, tenant_id: str) -> TenantContents | None:
        self._records.check_available()
        deleted = await self.tenant_contents(tenant_id)
        self._records.delete(tenant_id)
        self._publish()
        return deleted

    async def tenant_contents(self, tenant_id: str) -> TenantContents | None:
        return self._records.contents(tenant_id)

    async def finish_deletions(self) -> None:
        """Nothing is cut short."""

    async def has_received_before(self, before_us: int) -> bool:
        return any(
            not each.dropped and each.received_us < before_us for each in self._records.received
        )

    async def drop_received_before(self, before_us: int) -> None:
        self._records.check_available()
        self._records.drop(before_us)

    async def compute_peaks(self) -> int:
        return 0

    def _live(
        self,
    ) -> tuple[dict[str, Listing], dict[str, tuple[int, ...]], dict[str, int | None]]:
        return (
            {key.call_id: listing for key, listing in self._records.lists().items()},
            {each: tuple(sums.values()) for each, sums in self._records.totals().items()},
            {each.tenant_id: each.max_concurrent_calls for each in self._records.tenants.values()},
        )

    def _publish(self) -> None:
        (lists, totals, limits), (old_lists, old_totals, old_limits) = self._live(), self._shown
        self._shown = lists, totals, limits
        zero = (0,) * len(METRICS)
        change = Change(
            listings={
                call_id: lists.get(call_id)
                for call_id in lists.keys() | old_lists.keys()
                if lists.get(call_id) != old_lists.get(call_id)
            },
            totals={
                each: tuple(
                    now - before
                    for now, before in zip(
                        totals.get(each, zero), old_totals.get(each, zero), strict=True
                    )
                )
                for each in totals.keys() | old_totals.keys()
            },
            limits=dict.fromkeys(old_limits) | limits,
        )
        for listener in self._listeners:
            listener(change)
