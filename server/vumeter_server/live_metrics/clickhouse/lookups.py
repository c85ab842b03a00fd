"""What the table holds of ids: events, calls and reports, which are not held in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.live_metrics.clickhouse.draft import FoundIds
from vumeter_server.live_metrics.clickhouse.entry import LiveEntry
from vumeter_server.live_metrics.clickhouse.id_filter import IdFilter, call_bit, event_bit
from vumeter_server.live_metrics.clickhouse.rows import (
    EVENT_COLUMNS,
    HELD,
    HELD_COLUMNS,
    LOG,
    TABLE,
    HeldRow,
    KnownCall,
    LiveRowKind,
    StoredEvent,
    read_events,
    read_held,
)
from vumeter_server.live_metrics.clickhouse.state import LiveState
from vumeter_server.live_metrics.marks import MinutesReport
from vumeter_server.live_metrics.model import Event

# One parameter may have up to 128 KiB of text, in which a character may take several bytes.
_PARAMETER_BYTES: Final = 60_000


class LiveTable:
    """Reads the table `live_metrics`."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.clickhouse = clickhouse
        self.name = clickhouse.layout.reads(TABLE)
        self.local = clickhouse.layout.local(TABLE)
        self.ids = IdFilter()
        """Those of all entries up to the last one that was read or appended."""

    async def held(self, after_seq: int) -> tuple[list[HeldRow], int]:
        """Return the rows to hold of all entries behind `after_seq`, and the last entry's number.

        They are those of a whole number of entries. The ids in them are known from now on.
        """
        others = (LiveRowKind.ENTRY, LiveRowKind.EVENT)
        kinds = ", ".join(f"{kind:d}" for kind in (*others, *HELD))
        table = await self.clickhouse.query(
            f"SELECT {HELD_COLUMNS} FROM {self.name}"
            f" WHERE log = {LOG} AND kind IN ({kinds}) AND seq > {after_seq:d} ORDER BY seq"
        )
        if not table.num_rows:
            return [], after_seq
        last = table.column("seq")[-1].as_py()
        kinds_found = table.column("kind").to_numpy()
        rows = read_held(table.filter(pa.array(~np.isin(kinds_found, others))))
        events = table.column("name").filter(pa.array(kinds_found == LiveRowKind.EVENT))
        self.ids.add_ids(events.to_pylist(), _calls_in(rows))
        return rows, last

    async def load(self) -> tuple[list[HeldRow], int]:
        """Return all rows to hold, up to an entry at least, and that entry's number."""
        found = await self.clickhouse.query(
            f"SELECT max(at) AS seq FROM {self.name}"
            f" WHERE log = {LOG} AND kind = {LiveRowKind.ENTRY:d}"
        )
        # Those of a later entry may be among them: that does no harm.
        for kind, bit in (
            (LiveRowKind.EVENT, event_bit("name")),
            (LiveRowKind.CALL, call_bit("name")),
        ):
            ids = await self.clickhouse.query(
                f"SELECT DISTINCT toUInt32({bit}) AS bit FROM {self.name}"
                f" WHERE log = {LOG} AND kind = {kind:d}"
            )
            self.ids.add(ids.column("bit").to_numpy())
        kinds = ", ".join(f"{kind:d}" for kind in HELD)
        table = await self.clickhouse.query(
            f"SELECT {HELD_COLUMNS} FROM {self.name} FINAL"
            f" WHERE log = {LOG} AND kind IN ({kinds})"
            f" AND (kind != {LiveRowKind.CALL:d} OR stage > 0)"
            " ORDER BY received_us, seq"
        )
        rows = read_held(table)
        gone = {row.at for row in rows if row.kind is LiveRowKind.GONE_CALL}
        rows = [row for row in rows if row.kind is not LiveRowKind.CALL or row.at not in gone]
        # Calls stay in the order in which their last events were received.
        rows.sort(key=lambda row: 0 if row.kind is LiveRowKind.CALL else row.seq)
        return rows, found.column("seq")[0].as_py() or 0

    def know(self, entry: LiveEntry) -> None:
        """Take the ids of an entry as known, since it was appended."""
        self.ids.add_ids(
            (each.event.event_id for each in entry.events), _calls_in(entry.held.values())
        )

    async def find(self, state: LiveState, batches: Sequence[Sequence[Event]]) -> FoundIds:
        """Return what is stored of the ids that batches name, as far as it counts."""
        events = [event for batch in batches for event in batch]
        if not events:
            return FoundIds()
        call_ids = {event.call_id for event in events if event.call_id is not None}
        stored, calls = await asyncio.gather(
            self._events(self.ids.events({event.event_id for event in events})),
            self.calls(self.ids.calls(call_ids - state.listed.keys())),
        )
        found = FoundIds(calls=calls)
        await self._keep_those_that_count(state, stored, found)
        await self._add_reports(state, batches, found)
        return found

    async def _keep_those_that_count(
        self, state: LiveState, stored: Sequence[StoredEvent], found: FoundIds
    ) -> None:
        gone = await self.gone_calls({each.event.call_id for each in stored if each.event.call_id})
        for each in stored:
            event = each.event
            if each.call_no not in gone and state.visibility.counts_event(
                event.tenant_id, each.received_us, each.seq
            ):
                found.events[event.event_id] = event

    async def _add_reports(
        self, state: LiveState, batches: Sequence[Sequence[Event]], found: FoundIds
    ) -> None:
        known = found.calls | state.listed
        named: dict[str, list[int]] = defaultdict(list)
        for index, batch in enumerate(batches):
            for event in batch:
                if event.call_id in known:
                    named[event.call_id].append(index)
        needed = {
            call_id
            for call_id, of_batches in named.items()
            if known[call_id].call.reported_us is not None
            and (
                of_batches[0] != of_batches[-1]
                or any(
                    _may_need_reports(event, known[call_id])
                    for event in batches[of_batches[0]]
                    if event.call_id == call_id
                )
            )
        }
        found.reports |= await self.reports({each: known[each].call_no for each in needed})

    async def reports(self, calls: Mapping[str, int]) -> dict[int, list[MinutesReport]]:
        """Return the reports that raised the minutes of calls, by number, in order of time."""
        latest: dict[int, dict[int, tuple[int, int | None]]] = defaultdict(dict)
        for table in await self._of_names(
            LiveRowKind.REPORT, calls, "part, at, seq, is_deleted, amount"
        ):
            for row in table.to_pylist():
                before = latest[row["part"]].get(row["at"])
                if before is None or before[0] < row["seq"]:
                    amount = None if row["is_deleted"] else row["amount"]
                    latest[row["part"]][row["at"]] = (row["seq"], amount)
        return {
            call_no: [
                MinutesReport(us, minutes_ms)
                for us, (_, minutes_ms) in sorted(latest[call_no].items())
                if minutes_ms is not None
            ]
            for call_no in calls.values()
        }

    async def gone_calls(self, call_ids: Collection[str]) -> set[int]:
        """Return the numbers of calls of these ids that were dropped or deleted."""
        tables = await self._of_names(LiveRowKind.GONE_CALL, call_ids, "at")
        return {number for table in tables for number in table.column("at").to_pylist()}

    async def _events(self, event_ids: Collection[str]) -> list[StoredEvent]:
        tables = await self._of_names(LiveRowKind.EVENT, event_ids, EVENT_COLUMNS)
        events = [event for table in tables for event in read_events(table)]
        # An id that was free again is another event's.
        return sorted(events, key=lambda each: each.seq)

    async def calls(self, call_ids: Collection[str]) -> dict[str, KnownCall]:
        """Return calls that were not dropped, by id."""
        tables = await self._of_names(LiveRowKind.CALL, call_ids, HELD_COLUMNS)
        rows = sorted(
            (row for table in tables for row in read_held(table)), key=lambda row: row.seq
        )
        if not rows:
            return {}
        gone = await self.gone_calls({row.name for row in rows})
        return {row.name: KnownCall(row.at, row.value) for row in rows if row.at not in gone}

    async def _of_names(
        self, kind: LiveRowKind, names: Iterable[str], columns: str
    ) -> list[pa.Table]:
        statement = (
            f"SELECT {columns} FROM {self.name} WHERE log = {LOG} AND kind = {kind:d}"
            " AND name IN {names:Array(String)}"
        )
        return await asyncio.gather(
            *(self.clickhouse.query(statement, {"names": part}) for part in _parts(names))
        )


def _calls_in(rows: Iterable[HeldRow]) -> Iterator[str]:
    return (row.name for row in rows if row.kind is LiveRowKind.CALL)


def _may_need_reports(event: Event, known: KnownCall) -> bool:
    if event.tenant_id != known.call.tenant_id:
        return True
    reported_us = known.call.reported_us
    return (
        event.minutes is not None and reported_us is not None and event.occurred_us <= reported_us
    )


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    """Return names in parts that are short enough for a parameter."""
    part: list[str] = []
    size = 0
    for name in sorted(names):
        size += 4 * len(name) + 4
        if part and size > _PARAMETER_BYTES:
            yield part
            part, size = [], 4 * len(name) + 4
        part.append(name)
    if part:
        yield part
