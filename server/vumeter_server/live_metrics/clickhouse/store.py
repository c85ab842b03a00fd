"""The store of live metrics on ClickHouse: any number of servers, each of which may write."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice, takewhile
from typing import Final, NoReturn, TypeVar

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.errors import Unavailable, VumeterError
from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.clickhouse.contents import (
    calls_of,
    count_events,
    has_received_before,
    read_page,
)
from vumeter_server.live_metrics.clickhouse.draft import LiveDraft
from vumeter_server.live_metrics.clickhouse.history import read_history
from vumeter_server.live_metrics.clickhouse.log import LiveLog, LiveWrite
from vumeter_server.live_metrics.clickhouse.lookups import LiveTable
from vumeter_server.live_metrics.clickhouse.presence import SAID_EVERY_SECONDS, LivePresence
from vumeter_server.live_metrics.clickhouse.removal import LiveRemoval
from vumeter_server.live_metrics.clickhouse.rows import TenantRecord
from vumeter_server.live_metrics.clickhouse.state import Visibility
from vumeter_server.live_metrics.fold import Change
from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import EventsPage, EventsQuery, Tenant, TenantContents
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.periodic import run_periodically

T = TypeVar("T")

CALLS_CLOSED_TOGETHER: Final = 500
CAUGHT_UP_EVERY_SECONDS: Final = 0.25
TRIED_AGAIN_AFTER_SECONDS: Final = 2.0


class ClickHouseLiveStore:
    """Implements LiveStore."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._table = LiveTable(clickhouse)
        self._clock = clock
        self._log = LiveLog(self._table)
        self._removal = LiveRemoval(self._log)
        self._presence = LivePresence(clickhouse)

    @classmethod
    async def open(
        cls, clickhouse: ClickHouse, clock: Clock, epoch_id: str, counted_from_us: int = 0
    ) -> ClickHouseLiveStore:
        """Read the log and return the store.

        Totals continue if `epoch_id` is the last one they were counted under, or if another server
        runs, and begin at 0 otherwise.
        """
        store = cls(clickhouse, clock)
        log = store._log
        await log.load()
        log.others = await store._presence.count_others()
        before = log.state.epoch

        def start(draft: LiveDraft) -> None:
            # Another server may have begun one at this moment.
            if draft.state.epoch == before and epoch_id != before.id:
                draft.start_epoch(epoch_id, counted_from_us)

        if not log.others or not before.number:
            await log.append(LiveWrite(write=start, is_alone=True))
        await store._presence.say()
        return store

    @classmethod
    async def beside(cls, clickhouse: ClickHouse, clock: Clock) -> ClickHouseLiveStore:
        """Read the log and return the store of a command: it is no server, and starts no totals."""
        store = cls(clickhouse, clock)
        await store._log.load()
        return store

    async def close(self) -> None:
        """Say that this server does not run any more, if the table can be written."""
        with contextlib.suppress(VumeterError):
            await self._presence.say(is_gone=True)

    async def keep_up(self) -> NoReturn:
        """Read what other servers append, until cancelled."""

        async def read_on() -> None:
            try:
                await self._log.catch_up()
            except Unavailable:
                await asyncio.sleep(TRIED_AGAIN_AFTER_SECONDS)
                raise

        await run_periodically("live_metrics_log", read_on, every_seconds=CAUGHT_UP_EVERY_SECONDS)

    async def keep_present(self) -> NoReturn:
        """Say again and again that this server runs, until cancelled."""

        async def say() -> None:
            await self._presence.say()
            self._log.others = await self._presence.count_others()

        await run_periodically("live_metrics_presence", say, every_seconds=SAID_EVERY_SECONDS)

    async def catch_up(self) -> None:
        """Read what was written before this call through any server."""
        await self._log.catch_up()

    async def follow(self, listener: Callable[[Change], None]) -> None:
        """Hand everything that is live to `listener` as one change, then each change."""
        self._log.follow(listener)

    async def record(self, events: Sequence[Event], only_tenant: str | None = None) -> None:
        """Record all of `events` or none."""
        if events:
            received_us = self._clock()
            await self._log.append(
                LiveWrite(
                    write=lambda draft: draft.record(events, only_tenant, received_us),
                    events=events,
                )
            )

    async def close_stuck(self, quiet_since_us: int) -> int:
        """Close each listed call whose last event was received at `quiet_since_us` or before."""

        def close(draft: LiveDraft) -> int:
            quiet = takewhile(
                lambda known: known.call.last_received_us <= quiet_since_us, draft.listed()
            )
            stuck = (known for known in quiet if known.call.stage is not CallStage.UNLISTED)
            calls = list(islice(stuck, CALLS_CLOSED_TOGETHER))
            draft.close(calls, self._clock())
            return len(calls)

        closed = 0
        while number := await self._log.append(LiveWrite(write=close, is_alone=True)):
            closed += number
        return closed

    async def history(self, tenant_id: str | None, buckets: Buckets) -> Sequence[Bucket]:
        """Return every bucket, of all tenants together if `tenant_id` is None."""
        return await self._at_one_moment(
            lambda visibility: read_history(self._table, visibility, tenant_id, buckets)
        )

    async def tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        """Return up to `limit` tenants whose ids come after `after`, sorted by id."""
        await self._log.catch_up()
        known = self._log.state.tenants
        return [tenant_of(each, known[each]) for each in sorted(known) if each > after][:limit]

    async def events(self, asked: EventsQuery) -> EventsPage:
        """Return up to 1,000 events."""
        return await self._at_one_moment(
            lambda visibility: read_page(self._table, visibility, asked, self._log.state.seq)
        )

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> Tenant:
        """Set or remove a tenant's limit and return the tenant, known or new."""
        return await self._log.append(
            LiveWrite(
                write=lambda draft: tenant_of(
                    tenant_id, draft.set_limit(tenant_id, max_concurrent_calls)
                )
            )
        )

    async def delete_tenant(self, tenant_id: str) -> TenantContents | None:
        """Delete a tenant, and all rows of it."""
        return await self._removal.delete_tenant(tenant_id)

    async def tenant_contents(self, tenant_id: str) -> TenantContents | None:
        """Return what a tenant has, None if it is not known."""

        async def read(visibility: Visibility) -> TenantContents | None:
            if tenant_id not in self._log.state.tenants:
                return None
            calls, events = await asyncio.gather(
                calls_of(self._table, tenant_id), count_events(self._table, visibility, tenant_id)
            )
            return TenantContents(events=events, calls=len(calls))

        return await self._at_one_moment(read)

    async def finish_deletions(self) -> None:
        """Carry out the deletions that were cut short."""
        await self._removal.finish_deletions()

    async def has_received_before(self, before_us: int) -> bool:
        """Return whether an event is kept that was received before `before_us`."""
        return await self._at_one_moment(
            lambda visibility: has_received_before(self._table, visibility, before_us)
        )

    async def drop_received_before(self, before_us: int) -> None:
        """Drop events received before `before_us` and the calls that need none of them."""
        await self._removal.drop_received_before(before_us)
        await self._presence.forget_ended()

    async def compute_peaks(self) -> int:
        """Compute nothing in advance."""
        return 0

    async def append(self, write: LiveWrite[T]) -> T:
        """Append what a migration writes."""
        return await self._log.append(write)

    async def _at_one_moment(self, read: Callable[[Visibility], Awaitable[T]]) -> T:
        """Return what is read; again if meanwhile rows were taken from sight."""
        await self._log.catch_up()
        while True:
            visibility = self._log.state.visibility
            found = await read(visibility)
            await self._log.catch_up()
            if self._log.state.visibility == visibility:
                return found


def tenant_of(tenant_id: str, record: TenantRecord) -> Tenant:
    """Return a tenant as it is listed."""
    return Tenant(
        tenant_id=tenant_id,
        last_occurred_us=record.last_occurred_us,
        last_received_us=record.last_received_us,
        max_concurrent_calls=record.max_concurrent_calls,
    )
