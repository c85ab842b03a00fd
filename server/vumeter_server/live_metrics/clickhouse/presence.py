"""Which servers run: each says so every few seconds, until it ends.

A service start (epoch) begins when a server starts and no other runs. One that ended without a word
counts as running for as long as `COUNTS_FOR_SECONDS`.
"""

from __future__ import annotations

import secrets
from typing import Final

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.layout import RECORDED_US
from vumeter_server.live_metrics.clickhouse.rows import LOG
from vumeter_server.times.units import DAY_US

_TABLE: Final = "live_servers"
SAID_EVERY_SECONDS: Final = 5.0
COUNTS_FOR_SECONDS: Final = 20.0
ENDED_KEPT: Final = 1_000


class LivePresence:
    """One server among all that run."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._server = secrets.token_hex(8)

    async def say(self, *, is_gone: bool = False) -> None:
        """Say that this server runs, or that it has ended."""
        row = {
            "log": pa.array([LOG], pa.int64()),
            "server": [self._server],
            "is_gone": pa.array([int(is_gone)], pa.uint8()),
        }
        await self._clickhouse.insert(
            self._clickhouse.layout.writes(_TABLE), pa.table(row), token=secrets.token_hex(16)
        )

    async def count_others(self) -> int:
        """Count the other servers that run, by the clock of the node that keeps this."""
        found = await self._clickhouse.query(
            "SELECT count() AS others FROM ("
            f" SELECT server FROM {self._clickhouse.layout.reads(_TABLE)}"
            f" WHERE log = {LOG} AND server != {{server:String}} GROUP BY server"
            f" HAVING argMax(is_gone, {RECORDED_US}) = 0 AND max({RECORDED_US})"
            f" > toUnixTimestamp64Micro(now64(6)) - {int(COUNTS_FOR_SECONDS * 1_000_000)})",
            {"server": self._server},
        )
        others: int = found.column("others")[0].as_py()
        return others

    async def forget_ended(self) -> None:
        """Remove what servers said that ended long ago, if there are many."""
        layout = self._clickhouse.layout
        ended = f"{RECORDED_US} < toUnixTimestamp64Micro(now64(6)) - {DAY_US}"
        found = await self._clickhouse.query(
            f"SELECT count() AS ended FROM {layout.reads(_TABLE)} WHERE log = {LOG} AND {ended}"
        )
        if found.column("ended")[0].as_py() > ENDED_KEPT:
            statement = (
                f"ALTER TABLE {layout.local(_TABLE)}{layout.everywhere} DELETE WHERE {ended}"
            )
            settings = {"allow_nondeterministic_mutations": 1}
            for node in self._clickhouse.nodes:
                await node.command(statement, settings=settings)
