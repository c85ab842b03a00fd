"""The last time that a server saw, in ClickHouse."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from vumeter_server.clickhouse.layout import RECORDED_US
from vumeter_server.clickhouse.port import ClickHouse
from vumeter_server.runtime.clock_guard import ClockRecord

_TABLE: Final = "clock_records"
_SEEN, _ACCEPTED = 0, 1
"""What a row is, by its column `log`: the record, or that an operator accepted a time."""


class ClickHouseClockRecordStore:
    """Implements ClockRecordStore; the latest time that any server saw counts."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        # When the acceptance that was taken last was recorded.
        self._taken_us: int | None = None

    async def read(self) -> ClockRecord | None:
        """Return what was saved last, None if no time was."""
        row = await self._last(_SEEN)
        if row is None:
            return None
        return ClockRecord(seen_us=row["seen_us"], untrusted_for_us=row["untrusted_for_us"])

    async def save(self, record: ClockRecord, *, may_go_back: bool = False) -> None:
        """Keep `record` in place of the earlier one; of two times the later.

        What another server saves at the same moment may be lost; it saves again a minute later.
        """
        earlier = None if may_go_back else await self.read()
        if earlier is not None and earlier.seen_us > record.seen_us:
            record = replace(record, seen_us=earlier.seen_us)
        await self._insert(_SEEN, record)

    async def take_acceptance(self) -> bool:
        """Return whether an operator accepted a time since this server looked last.

        Each server takes it. At the first look, what counts is a time later than any that servers
        have trusted: an earlier one was taken by those that ran then.
        """
        row = await self._last(_ACCEPTED)
        recorded_us = 0 if row is None else row[RECORDED_US]
        taken_us, self._taken_us = self._taken_us, recorded_us
        if row is None:
            return False
        if taken_us is None:
            record = await self.read()
            return record is None or row["seen_us"] > record.seen_us
        return bool(recorded_us > taken_us)

    async def accept(self, now_us: int) -> None:
        """Say that an operator accepted the time that it is now.

        A later time that a server saw is forgotten: by this, and by each server that takes it.
        """
        record = ClockRecord(seen_us=now_us)
        await self._insert(_ACCEPTED, record)
        earlier = await self.read()
        if earlier is not None and earlier.seen_us > now_us:
            await self.save(record, may_go_back=True)

    async def _last(self, log: int) -> dict[str, Any] | None:
        found = await self._clickhouse.query(
            f"SELECT seen_us, untrusted_for_us, {RECORDED_US}"
            f" FROM {self._clickhouse.layout.reads(_TABLE)}"
            f" WHERE log = {log:d} ORDER BY {RECORDED_US} DESC LIMIT 1"
        )
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows[0] if rows else None

    async def _insert(self, log: int, record: ClockRecord) -> None:
        values = {
            "log": log,
            "seen_us": record.seen_us,
            "untrusted_for_us": record.untrusted_for_us,
        }
        await self._clickhouse.insert(
            self._clickhouse.layout.writes(_TABLE),
            pa.table({name: pa.array([value], pa.int64()) for name, value in values.items()}),
            token=secrets.token_hex(16),
        )
