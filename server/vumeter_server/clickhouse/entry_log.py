"""Append-only logs in a table: what is checked before it is written, safely among many servers.

A log is all rows of one key. Its entries have numbers from 1 without gaps; an entry is one block of
rows, so it is there as a whole or not at all. A writer reads a log, checks what it wants, and
appends the entry behind the last one that it saw. If another has taken that number, it has lost: it
reads on and checks again. Whoever has got a number is decided by the deduplication token of the
block, on the node that stores it.

The table needs the columns of the key, `seq` (Int64), `entry` (Int64, drawn for each entry) and
`recorded_us`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from vumeter_server.clickhouse.layout import RECORDED_US
from vumeter_server.clickhouse.port import ClickHouse, Parameter
from vumeter_server.errors import Unavailable

GIVEN_UP_AFTER_SECONDS: Final = 5.0
"""How long after a log was read an entry may be appended. A token is remembered for a number of
blocks: a process that was stopped for long may no longer rely on it."""
_MOST_ATTEMPTS: Final = 5


class EntryLog:
    """The logs of one table."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        table: str,
        key: Mapping[str, str],
        *,
        entry_where: str = "seq = {seq:Int64}",
    ) -> None:
        """`key` gives the columns of a log's key with their types: `{"organization": "Int64"}`.

        `entry_where` finds a row of an entry by its `seq`, quickly by the order of the table.
        """
        self._entry_where = entry_where
        self._clickhouse = clickhouse
        self._table = table
        self._key = key

    async def append(
        self, key: Mapping[str, Parameter], seq: int, rows: pa.Table, *, read_at: float
    ) -> bool:
        """Append an entry as number `seq`; False if another has got that number.

        `rows` has all columns but `seq` and `entry`. `read_at` is the time of the event loop just
        before the log was read. Raises Unavailable if it is not known whether the entry is there:
        with replicas also if it is not found, because the one that is read may be behind.
        """
        entry = secrets.randbits(62)
        count = rows.num_rows
        block = rows.append_column("seq", pa.array([seq] * count, pa.int64())).append_column(
            "entry", pa.array([entry] * count, pa.int64())
        )
        name = "/".join(str(key[column]) for column in self._key)
        for attempt in range(_MOST_ATTEMPTS):
            if asyncio.get_running_loop().time() - read_at > GIVEN_UP_AFTER_SECONDS:
                break
            await self._clickhouse.insert(
                self._clickhouse.layout.writes(self._table),
                block,
                token=f"{self._table}/{name}/{seq}#{attempt}",
            )
            # A block that was dropped is acknowledged like one that was stored. A token may also
            # have outlived its block, when the node was killed: then the next one is tried.
            winner = await self._winner(key, seq)
            if winner is not None:
                return winner == entry
            if self._clickhouse.layout.is_replicated:
                # The entry of this number may be on another replica: the next token would store a
                # second one beside it. Whoever tries again appends behind what he reads then.
                break
        raise Unavailable

    async def _winner(self, key: Mapping[str, Parameter], seq: int) -> int | None:
        conditions = " AND ".join(
            f"{column} = {{{column}:{kind}}}" for column, kind in self._key.items()
        )
        found = await self._clickhouse.query(
            f"SELECT entry FROM {self._clickhouse.layout.reads(self._table)}"
            f" WHERE {conditions} AND {self._entry_where} ORDER BY {RECORDED_US}, entry LIMIT 1",
            {**key, "seq": seq},
        )
        return found.column("entry")[0].as_py() if found.num_rows else None
