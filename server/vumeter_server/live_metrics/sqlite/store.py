"""The store of live metrics in SQLite: one per service, in the process that writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TypeVar

from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.live_view import Board, Change
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.sqlite.history import Timelines, store_peaks, work_out
from vumeter_server.live_metrics.sqlite.retention import drop_calls, drop_events
from vumeter_server.live_metrics.sqlite.state import Ledger
from vumeter_server.live_metrics.sqlite.timeline import ALL_TENANTS, MINUTE_US, WIDTHS
from vumeter_server.live_metrics.sqlite.write_batch import Booking
from vumeter_server.live_metrics.store import Tenant
from vumeter_server.runtime.clock import Clock
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3

T = TypeVar("T")

CALLS_CLOSED_A_STEP = 500
PEAKS_A_STEP = 200
# Minutes and hours are still being counted for a while after their end.
PEAK_DELAY_MINUTES = 1

_SELECT_TENANT = (
    "SELECT tenant_id, last_occurred_us, last_received_us, max_concurrent_calls FROM live_tenants"
)


class SqliteLiveStore:
    """Implements LiveStore.

    The ledger belongs to the writer thread and runs ahead of commits; the board belongs to the
    event loop and shows only what is committed.
    """

    def __init__(self, writer: Writer, readers: Readers, clock: Clock, launch_id: str) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self._launch_id = launch_id
        self._ledger: Ledger | None = None
        self._loop = asyncio.get_running_loop()
        self._board = Board()
        self._limits: dict[str, int] = {}

    @classmethod
    async def open(
        cls, writer: Writer, readers: Readers, clock: Clock, launch_id: str
    ) -> SqliteLiveStore:
        """Read what the file holds and return the store.

        Totals go on if `launch_id` is the one they were counted under, and begin at 0 otherwise.
        """
        store = cls(writer, readers, clock, launch_id)

        def read(connection: sqlite3.Connection) -> tuple[Change, dict[str, int]]:
            change = store._known(connection).board_change(connection)
            limits = connection.execute(
                "SELECT tenant_id, max_concurrent_calls FROM live_tenants"
                " WHERE max_concurrent_calls IS NOT NULL"
            )
            return change, dict(limits.fetchall())

        change, store._limits = await writer.run(read, rolled_back=store._forget)
        store._board.apply(change)
        return store

    @property
    def board(self) -> Board:
        """The live figures of what was committed."""
        return self._board

    async def record(self, events: Sequence[Event]) -> None:
        """Record all of `events` or none."""
        received_us = self._clock()
        await self._book(lambda booking: booking.record(events), received_us)

    async def close_stuck(self, unheard_since_us: int) -> int:
        """Close the listed calls of which nothing was received since; return how many."""
        closed = 0
        while number := await self._close_some(unheard_since_us):
            closed += number
        return closed

    async def _close_some(self, unheard_since_us: int) -> int:
        now_us = self._clock()
        number = 0

        def close(booking: Booking) -> Change:
            nonlocal number
            stuck = takewhile(
                lambda known: known.call.last_received_us <= unheard_since_us,
                booking.ledger.listed.values(),
            )
            calls = [known for known, _ in zip(stuck, range(CALLS_CLOSED_A_STEP), strict=False)]
            number = len(calls)
            return booking.close(calls, now_us)

        await self._book(close, now_us)
        return number

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
            return Timelines(connection, tenant_no).buckets(buckets)

        return await self._readers.run(read, heavy=True)

    async def tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        """Return up to `limit` tenants whose ids come after `after`, sorted by id."""
        return await self._readers.run(
            lambda connection: [
                _tenant(row)
                for row in connection.execute(
                    f"{_SELECT_TENANT} WHERE tenant_id > ? ORDER BY tenant_id LIMIT ?",
                    (after, limit),
                )
            ]
        )

    def limit(self, tenant_id: str) -> int | None:
        """Return a tenant's limit, None if it has none."""
        return self._limits.get(tenant_id)

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> Tenant:
        """Set or remove a tenant's limit and return the tenant, known or new."""
        tenant: list[Tenant] = []

        def write(booking: Booking) -> Change:
            booking.connection.execute(
                "INSERT INTO live_tenants (tenant_no, tenant_id, max_concurrent_calls)"
                " VALUES (?, ?, ?) ON CONFLICT (tenant_no)"
                " DO UPDATE SET max_concurrent_calls = excluded.max_concurrent_calls",
                (booking.tenant(tenant_id), tenant_id, max_concurrent_calls),
            )
            row = booking.connection.execute(
                f"{_SELECT_TENANT} WHERE tenant_id = ?", (tenant_id,)
            ).fetchone()
            tenant.append(_tenant(row))
            return Change(listings={}, totals={})

        def show() -> None:
            if max_concurrent_calls is None:
                self._limits.pop(tenant_id, None)
            else:
                self._limits[tenant_id] = max_concurrent_calls

        await self._book(write, self._clock(), show)
        return tenant[0]

    async def drop_received_before(self, before_us: int) -> None:
        """Forget events received before `before_us` and the calls that need none of them."""
        # Events first: a repeat of an event must never meet another number of its call.
        while await self._write(lambda connection: drop_events(connection, before_us)):
            pass
        after: int | None = 0
        while after is not None:
            last = after
            after = await self._write(
                lambda connection, last=last: drop_calls(  # type: ignore[misc]
                    connection, self._known(connection), before_us, last
                )
            )

    async def work_out_peaks(self) -> int:
        """Work out peaks of past minutes and hours that changed; return how many."""
        before = self._clock() // MINUTE_US - PEAK_DELAY_MINUTES
        number = 0
        for width in WIDTHS:
            peaks = await self._readers.run(
                lambda connection, width=width: work_out(  # type: ignore[misc]
                    connection, width, before, PEAKS_A_STEP
                ),
                heavy=True,
            )
            if peaks:
                await self._write(lambda connection, peaks=peaks: store_peaks(connection, peaks))  # type: ignore[misc]
            number += len(peaks)
        return number

    async def _write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await self._writer.run(job, rolled_back=self._forget)

    async def _book(
        self,
        book: Callable[[Booking], Change],
        received_us: int,
        show: Callable[[], None] = lambda: None,
    ) -> None:
        """Run one booking as a job, merged at its end and shown on the board once committed.

        `show` is called then too, in the event loop, even if the caller has gone.
        """
        changes: list[Change] = []

        def job(connection: sqlite3.Connection) -> None:
            booking = Booking(self._known(connection), connection, received_us)
            change = book(booking)
            booking.merge()
            changes.append(change)

        def rolled_back() -> None:
            # Before the merge the ledger knows nothing of the job.
            if changes:
                self._forget()

        def committed() -> None:
            # Scheduled before anyone is answered, so the next answer shows it.
            self._loop.call_soon_threadsafe(self._board.apply, changes[0])
            self._loop.call_soon_threadsafe(show)

        await self._writer.run(job, rolled_back=rolled_back, committed=committed)

    def _known(self, connection: sqlite3.Connection) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger.read(connection, self._launch_id)
        return self._ledger

    def _forget(self) -> None:
        self._ledger = None


def _tenant(row: tuple[str, int | None, int | None, int | None]) -> Tenant:
    return Tenant(
        tenant_id=row[0],
        last_occurred_us=row[1],
        last_received_us=row[2],
        max_concurrent_calls=row[3],
    )
