"""What a migration reads and writes of live metrics in SQLite."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence

from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.fold import Listing, listing
from vumeter_server.live_metrics.migration_store import (
    ClosedCall,
    ReceivedAt,
    ReceivedEvents,
    is_closed,
)
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.sqlite import rows
from vumeter_server.live_metrics.sqlite.state import Epoch, NumberedCall
from vumeter_server.live_metrics.sqlite.store import SqliteLiveStore
from vumeter_server.live_metrics.sqlite.write_batch import WriteBatch
from vumeter_server.live_metrics.store import EventsQuery, Tenant
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3

_NEVER_US = 1 << 62
_TENANTS_AT_ONCE = 1_000


class SqliteLiveMigrationSource:
    """Implements LiveMigrationSource."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def tenants(self) -> Sequence[Tenant]:
        """Return all tenants."""
        return await self._readers.run(
            lambda connection: [
                rows.read_tenant(row)
                for row in connection.execute(
                    "SELECT tenant_id, last_occurred_us, last_received_us, max_concurrent_calls"
                    " FROM live_tenants ORDER BY tenant_id"
                )
            ]
        )

    async def received(self, after: int, through: int | None) -> ReceivedEvents:
        """Return the next events."""
        asked = EventsQuery(after=after, through=through)

        def read(connection: sqlite3.Connection) -> ReceivedEvents:
            page = rows.page_of_events(connection, asked)
            times = dict(
                connection.execute(
                    "SELECT event_id, received_us FROM live_events"
                    " WHERE event_no > ? AND event_no <= ? AND event_id IS NOT NULL",
                    (after, page.after),
                ).fetchall()
            )
            return ReceivedEvents(
                events=[(event, times[event.event_id]) for event in page.events],
                after=page.after,
                through=page.through,
                share=page.share,
            )

        return await self._readers.run(read, heavy=True)

    async def closed_calls(self, after: str, most: int) -> Sequence[ClosedCall]:
        """Return the next closed calls."""
        found = await self._readers.run(
            lambda connection: connection.execute(
                "SELECT call_id, closed_us FROM live_calls"
                " JOIN live_tenants USING (tenant_no)"
                " WHERE call_id > ? AND (closed_us IS NOT NULL OR lapsed)"
                " ORDER BY call_id LIMIT ?",
                (after, most),
            ).fetchall(),
            heavy=True,
        )
        return [ClosedCall(call_id=call_id, closed_us=closed_us) for call_id, closed_us in found]

    async def listed(self) -> Mapping[str, Listing]:
        """Return the calls that are in lists."""

        def read(connection: sqlite3.Connection) -> list[CallState]:
            tenants = dict(connection.execute("SELECT tenant_no, tenant_id FROM live_tenants"))
            return [
                rows.read_call(row, tenants[row[2]])
                for row in connection.execute(f"{rows.SELECT_CALL} WHERE state > 0")
                if row[2] in tenants
            ]

        calls = await self._readers.run(read, heavy=True)
        found = ((call.call_id, listing(call)) for call in calls)
        return {call_id: listed for call_id, listed in found if listed is not None}


class SqliteLiveMigrationTarget:
    """Implements LiveMigrationTarget."""

    def __init__(self, store: SqliteLiveStore, now: ReceivedAt) -> None:
        self.store = store
        self._now = now

    @classmethod
    async def open(cls, writer: Writer, readers: Readers) -> SqliteLiveMigrationTarget:
        """Begin a service start in which nothing counts in totals."""
        now = ReceivedAt()
        epoch = Epoch(f"migration-{secrets.token_hex(8)}", _NEVER_US)
        return cls(await SqliteLiveStore.open(writer, readers, now, epoch), now)

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> None:
        """Set or remove a tenant's limit."""
        await self.store.set_limit(tenant_id, max_concurrent_calls)

    async def delete_tenant(self, tenant_id: str) -> None:
        """Delete a tenant with all it has."""
        await self.store.delete_tenant(tenant_id)

    async def record(self, events: Sequence[Event], received_us: int) -> None:
        """Record events as received at that time."""
        self._now.us = received_us
        await self.store.record(events)

    async def close_calls(self, calls: Sequence[ClosedCall]) -> None:
        """Close calls as the other server did."""
        wanted = {each.call_id: each.closed_us for each in calls}

        def close(batch: WriteBatch) -> None:
            known: dict[str, NumberedCall] = {}
            for row in rows.select_calls(batch.connection, wanted):
                if row[2] in batch.state.tenant_ids:
                    call = rows.read_call(row, batch.state.tenant_ids[row[2]])
                    known[call.call_id] = NumberedCall(row[0], call)
            open_calls = [
                each
                for each in known.values()
                if not is_closed(each.call, wanted[each.call.call_id])
            ]
            open_calls.sort(key=lambda each: wanted[each.call.call_id] or 0)
            for closed_us, some in itertools.groupby(
                open_calls, key=lambda each: wanted[each.call.call_id] or 0
            ):
                batch.close(list(some), closed_us)

        await self.store.commit(close)
