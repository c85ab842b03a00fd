"""The store of live metrics in SQLite: one per service, in the process that writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import Generic, TypeVar

from vumeter_server.live_metrics.fold import Change
from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.sqlite import deletion, retention
from vumeter_server.live_metrics.sqlite.history import (
    HistoryReader,
    compute_missing_peaks,
    store_peaks,
)
from vumeter_server.live_metrics.sqlite.rows import page_of_events, read_tenant
from vumeter_server.live_metrics.sqlite.state import Epoch, WriterState
from vumeter_server.live_metrics.sqlite.timeline import ALL_TENANTS, MINUTE_US, WIDTHS
from vumeter_server.live_metrics.sqlite.write_batch import WriteBatch
from vumeter_server.live_metrics.store import EventsPage, EventsQuery, Tenant, TenantContents
from vumeter_server.runtime.clock import Clock
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3

T = TypeVar("T")
Listener = Callable[[Change], None]

CALLS_CLOSED_PER_STEP = 500
PEAKS_PER_STEP = 200
# Minutes and hours still change for a while after their end.
PEAK_DELAY_MINUTES = 1

_SELECT_TENANT = (
    "SELECT tenant_id, last_occurred_us, last_received_us, max_concurrent_calls FROM live_tenants"
)


class SqliteLiveStore:
    """Implements LiveStore.

    The writer's state belongs to the writer thread and is ahead of commits. Followers get
    changes in the event loop, of what is committed.
    """

    def __init__(self, writer: Writer, readers: Readers, clock: Clock, epoch: Epoch) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self._epoch = epoch
        self._state: WriterState | None = None
        self._loop = asyncio.get_running_loop()
        self._listeners: list[Listener] = []
        # Deletion and retention take rows away in steps, and never both at the same time.
        self._dropping = asyncio.Lock()

    @classmethod
    async def open(
        cls, writer: Writer, readers: Readers, clock: Clock, epoch: Epoch
    ) -> SqliteLiveStore:
        """Read what the file holds and return the store.

        Totals continue if `epoch` is the one they were counted under, and begin at 0 otherwise.
        """
        store = cls(writer, readers, clock, epoch)
        await store._write(store._loaded_state)
        return store

    async def follow(self, listener: Listener) -> None:
        """Hand everything that is live to `listener` as one change, then each change."""

        def everything(batch: WriteBatch) -> None:
            batch.change = batch.state.as_change(batch.connection)

        # Sent as a commit is, so this comes after all changes that it contains.
        await self.commit(everything, starts=listener)

    async def catch_up(self) -> None:
        """Nobody else writes."""

    async def record(self, events: Sequence[Event], only_tenant: str | None = None) -> None:
        """Record all of `events` or none."""
        if events:
            await self.commit(lambda batch: batch.record(events, only_tenant))

    async def close_stuck(self, quiet_since_us: int) -> int:
        """Close each listed call whose last event was received at `quiet_since_us` or before."""

        def close(batch: WriteBatch) -> int:
            stuck = takewhile(
                lambda known: known.call.last_received_us <= quiet_since_us,
                batch.state.listed.values(),
            )
            calls = list(islice(stuck, CALLS_CLOSED_PER_STEP))
            batch.close(calls, batch.received_us)
            return len(calls)

        closed = 0
        while number := await self.commit(close):
            closed += number
        return closed

    async def history(self, tenant_id: str | None, buckets: Buckets) -> Sequence[Bucket]:
        """Return every bucket, of all tenants together if `tenant_id` is None."""

        def read(connection: sqlite3.Connection) -> list[Bucket]:
            tenant_no = ALL_TENANTS
            if tenant_id is not None:
                row = connection.execute(
                    "SELECT tenant_no FROM live_tenants WHERE tenant_id = ?", (tenant_id,)
                ).fetchone()
                # No tenant has this number: its history is empty.
                tenant_no = row[0] if row else -1
            return HistoryReader.of(connection, tenant_no).buckets(buckets)

        return await self._readers.run(read, heavy=True)

    async def tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        """Return up to `limit` tenants whose ids come after `after`, sorted by id."""
        return await self._readers.run(
            lambda connection: [
                read_tenant(row)
                for row in connection.execute(
                    f"{_SELECT_TENANT} WHERE tenant_id > ? ORDER BY tenant_id LIMIT ?",
                    (after, limit),
                )
            ]
        )

    async def events(self, asked: EventsQuery) -> EventsPage:
        """Return up to 1,000 events."""
        return await self._readers.run(partial(page_of_events, asked=asked), heavy=True)

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> Tenant:
        """Set or remove a tenant's limit and return the tenant, known or new."""

        def write(batch: WriteBatch) -> Tenant:
            batch.connection.execute(
                "INSERT INTO live_tenants (tenant_no, tenant_id, max_concurrent_calls)"
                " VALUES (?, ?, ?) ON CONFLICT (tenant_no)"
                " DO UPDATE SET max_concurrent_calls = excluded.max_concurrent_calls",
                (batch.tenant_no(tenant_id), tenant_id, max_concurrent_calls),
            )
            batch.change = Change(limits={tenant_id: max_concurrent_calls})
            row = batch.connection.execute(
                f"{_SELECT_TENANT} WHERE tenant_id = ?", (tenant_id,)
            ).fetchone()
            return read_tenant(row)

        return await self.commit(write)

    async def delete_tenant(self, tenant_id: str) -> TenantContents | None:
        """Delete a tenant, and all rows of it."""
        if await self.tenant_contents(tenant_id) is None:
            return None
        number = await self._writer.run(
            partial(deletion.ask, tenant_id=tenant_id, now_us=self._clock())
        )
        await self.finish_deletions()
        found = await self._readers.run(partial(deletion.read, number=number))
        return None if found is None else found.contents

    async def tenant_contents(self, tenant_id: str) -> TenantContents | None:
        """Return what a tenant has, None if it is not known."""
        return await self._readers.run(partial(deletion.count, tenant_id=tenant_id), heavy=True)

    async def finish_deletions(self) -> None:
        """Carry out the deletions that wait, and those that were cut short."""
        async with self._dropping:
            await self._finish_deletions()

    async def _finish_deletions(self) -> None:
        for each in await self._readers.run(deletion.under_way):
            tenant_no = each.tenant_no
            if each.tenant_id is not None:
                tenant_no = await self._apply(each.number, each.tenant_id)
            if tenant_no is not None:
                await self._drop_tenant(each.number, tenant_no)

    async def _apply(self, number: int, tenant_id: str) -> int | None:
        """Take a tenant from sight; return its number, None if it is not known."""
        await self.commit(lambda batch: batch.delete_tenant(number, tenant_id))
        applied = await self._readers.run(partial(deletion.read, number=number))
        return None if applied is None or applied.is_done else applied.tenant_no

    async def _drop_tenant(self, number: int, tenant_no: int) -> None:
        """Drop all rows of a deleted tenant, in steps between which others write."""
        place: deletion.Place | None = deletion.BEGINNING
        while place is not None:
            place = await self._writer.run(
                partial(deletion.drop_marks, tenant_no=tenant_no, after=place)
            )
        for drop in (deletion.drop_events, deletion.drop_calls):
            after: int | None = 0
            while after is not None:
                after = await self._writer.run(partial(drop, tenant_no=tenant_no, after=after))
        while await self._writer.run(partial(deletion.drop_rollups, tenant_no=tenant_no)):
            pass

        def finish(connection: sqlite3.Connection) -> None:
            deletion.set_done(connection, number, self._clock())
            self._loaded_state(connection).deleting.discard(tenant_no)

        await self._write(finish)

    async def has_received_before(self, before_us: int) -> bool:
        """Return whether an event is kept that was received before `before_us`."""
        return await self._readers.run(partial(retention.has_received_before, before_us=before_us))

    async def drop_received_before(self, before_us: int) -> None:
        """Drop events received before `before_us` and the calls that need none of them."""
        async with self._dropping:
            await self._finish_deletions()
            # Events first: a repeat of an event must never meet another number of its call.
            while await self._write(partial(retention.drop_events, before_us=before_us)):
                pass
            after: int | None = 0
            while after is not None:
                after = await self._drop_calls(before_us, after)

    async def _drop_calls(self, before_us: int, after_call_no: int) -> int | None:
        return await self._write(
            lambda connection: retention.drop_calls(
                connection, self._loaded_state(connection), before_us, after_call_no
            )
        )

    async def compute_peaks(self) -> int:
        """Compute peaks of past minutes and hours that changed; return how many."""
        before = self._clock() // MINUTE_US - PEAK_DELAY_MINUTES
        number = 0
        for width in WIDTHS:
            peaks = await self._readers.run(
                partial(compute_missing_peaks, width=width, before=before, limit=PEAKS_PER_STEP),
                heavy=True,
            )
            if peaks:
                await self._write(partial(store_peaks, peaks=peaks))
            number += len(peaks)
        return number

    async def _write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await self._writer.run(job, rolled_back=self._forget_state)

    async def commit(self, work: Callable[[WriteBatch], T], starts: Listener | None = None) -> T:
        """Run one batch as a job; its change is merged at its end and published once committed.

        `starts` is a listener that begins to follow with this change, which nobody else gets.
        """
        job = _Job(store=self, work=work, received_us=self._clock(), starts=starts)
        return await self._writer.run(job.run, rolled_back=job.rolled_back, committed=job.committed)

    def _publish(self, change: Change, starts: Listener | None) -> None:
        if starts is not None:
            self._listeners.append(starts)
        for listener in self._listeners if starts is None else (starts,):
            listener(change)

    def _loaded_state(self, connection: sqlite3.Connection) -> WriterState:
        if self._state is None:
            self._state = WriterState.read(connection, self._epoch)
        return self._state

    def _forget_state(self) -> None:
        self._state = None


@dataclass(kw_only=True, slots=True, eq=False)
class _Job(Generic[T]):
    """One write on its way through the writer thread, with the change that it leads to."""

    store: SqliteLiveStore
    work: Callable[[WriteBatch], T]
    received_us: int
    starts: Listener | None
    batch: WriteBatch | None = None
    """Set once its work is being merged."""

    def run(self, connection: sqlite3.Connection) -> T:
        batch = WriteBatch(self.store._loaded_state(connection), connection, self.received_us)
        result = self.work(batch)
        self.batch = batch
        batch.merge()
        return result

    def rolled_back(self) -> None:
        # Before the merge the state holds nothing of the job.
        if self.batch is not None:
            self.store._forget_state()

    def committed(self) -> None:
        assert self.batch is not None
        # Scheduled before anyone is answered, and in the order of the commits, so whoever gets an
        # answer finds it in the view.
        self.store._loop.call_soon_threadsafe(self.store._publish, self.batch.change, self.starts)
