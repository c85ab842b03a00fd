"""What a migration reads and writes of live metrics on ClickHouse."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.clickhouse.contents import read_stored
from vumeter_server.live_metrics.clickhouse.draft import LiveDraft
from vumeter_server.live_metrics.clickhouse.log import LiveLog, LiveWrite
from vumeter_server.live_metrics.clickhouse.lookups import LiveTable
from vumeter_server.live_metrics.clickhouse.rows import (
    HELD_COLUMNS,
    LOG,
    NEVER_US,
    KnownCall,
    LiveRowKind,
    read_held,
)
from vumeter_server.live_metrics.clickhouse.state import LiveState
from vumeter_server.live_metrics.clickhouse.store import ClickHouseLiveStore, tenant_of
from vumeter_server.live_metrics.fold import Listing, listing
from vumeter_server.live_metrics.migration_store import (
    ClosedCall,
    ReceivedAt,
    ReceivedEvents,
    is_closed,
)
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import EventsQuery, Tenant


class ClickHouseLiveMigrationSource:
    """Implements LiveMigrationSource."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._table = LiveTable(clickhouse)
        self._log: LiveLog | None = None

    async def tenants(self) -> Sequence[Tenant]:
        """Return all tenants."""
        known = (await self._read_on()).tenants
        return [tenant_of(each, known[each]) for each in sorted(known)]

    async def received(self, after: int, through: int | None) -> ReceivedEvents:
        """Return the next events."""
        asked = EventsQuery(after=after, through=through)
        while True:
            state = await self._read_on()
            visibility = state.visibility
            page = await read_stored(self._table, visibility, asked, state.seq)
            if (await self._read_on()).visibility == visibility:
                break
        return ReceivedEvents(
            events=[(each.event, each.received_us) for each in page.events],
            after=page.after,
            through=page.through,
            share=page.share,
        )

    async def closed_calls(self, after: str, most: int) -> Sequence[ClosedCall]:
        """Return the next closed calls."""
        found = await self._table.clickhouse.query(
            f"SELECT {HELD_COLUMNS} FROM {self._table.name} FINAL"
            f" WHERE log = {LOG} AND kind = {LiveRowKind.CALL:d} AND name > {{after:String}}"
            " AND (JSONExtractInt(payload, 'closed_us') != 0 OR JSONExtractBool(payload, 'lapsed'))"
            f" AND at NOT IN (SELECT at FROM {self._table.local}"
            f" WHERE log = {LOG} AND kind = {LiveRowKind.GONE_CALL:d})"
            f" ORDER BY name LIMIT {int(most)}",
            {"after": after},
        )
        calls: list[CallState] = [row.value for row in read_held(found)]
        return [ClosedCall(call_id=each.call_id, closed_us=each.closed_us) for each in calls]

    async def listed(self) -> Mapping[str, Listing]:
        """Return the calls that are in lists."""
        calls = (await self._read_on()).listed
        found = ((call_id, listing(known.call)) for call_id, known in calls.items())
        return {call_id: listed for call_id, listed in found if listed is not None}

    async def _read_on(self) -> LiveState:
        if self._log is None:
            log = LiveLog(self._table)
            await log.load()
            self._log = log
        await self._log.catch_up()
        return self._log.state


class ClickHouseLiveMigrationTarget:
    """Implements LiveMigrationTarget."""

    def __init__(self, store: ClickHouseLiveStore, table: LiveTable, now: ReceivedAt) -> None:
        self.store = store
        self._table = table
        self._now = now

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, clickhouse: ClickHouse) -> AsyncIterator[ClickHouseLiveMigrationTarget]:
        """Begin a service start in which nothing counts in totals."""
        now = ReceivedAt()
        epoch = f"migration-{secrets.token_hex(8)}"
        store = await ClickHouseLiveStore.open(clickhouse, now, epoch, NEVER_US)
        try:
            yield cls(store, LiveTable(clickhouse), now)
        finally:
            await store.close()

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
        """Close calls as the other server did, in one entry."""
        found: dict[str, KnownCall] = {}

        async def read(state: LiveState) -> None:
            ids = {each.call_id for each in calls}
            found.clear()
            found.update(await self._table.calls(ids - state.listed.keys()))
            found.update((each, state.listed[each]) for each in ids & state.listed.keys())

        def close(draft: LiveDraft) -> None:
            for each in calls:
                known = found.get(each.call_id)
                if known is not None and not is_closed(known.call, each.closed_us):
                    draft.close([known], each.closed_us or 0)

        await self.store.append(LiveWrite(write=close, is_alone=True, prepare=read))
