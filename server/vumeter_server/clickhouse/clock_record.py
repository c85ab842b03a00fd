"""The last time that a server saw, in ClickHouse."""

from __future__ import annotations

import secrets

import pyarrow as pa

from vumeter_server.clickhouse.layout import RECORDED_US
from vumeter_server.clickhouse.port import ClickHouse
from vumeter_server.runtime.clock_guard import ClockRecord

_TABLE = "clock_records"


class ClickHouseClockRecordStore:
    """Implements ClockRecordStore; the record that any server saved last counts."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def read(self) -> ClockRecord | None:
        """Return what was saved last, None if no time was."""
        found = await self._clickhouse.query(
            f"SELECT seen_us, untrusted_for_us FROM {self._clickhouse.layout.reads(_TABLE)}"
            f" WHERE log = 0 ORDER BY {RECORDED_US} DESC LIMIT 1"
        )
        for row in found.to_pylist():
            return ClockRecord(**row)
        return None

    async def save(self, record: ClockRecord) -> None:
        """Keep `record` in place of the earlier one."""
        values = {
            "log": 0,
            "seen_us": record.seen_us,
            "untrusted_for_us": record.untrusted_for_us,
        }
        await self._clickhouse.insert(
            self._clickhouse.layout.writes(_TABLE),
            pa.table({name: pa.array([value], pa.int64()) for name, value in values.items()}),
            token=secrets.token_hex(16),
        )

    async def take_acceptance(self) -> bool:
        """There is no command that accepts the clock on ClickHouse."""
        return False
