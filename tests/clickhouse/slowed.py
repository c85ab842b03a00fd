"""Queries that run for minutes, and on which nodes one runs."""

from __future__ import annotations

import asyncio
from typing import Final

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.schema import POINTS

SLEPT_SECONDS: Final = 0.1
"""At each point whose value is read."""


async def slow_down(clickhouse: ClickHouse) -> None:
    """Let every node read ten points a second. Nothing can be recorded any more."""
    table = clickhouse.layout.local(POINTS)
    for node in clickhouse.nodes:
        # A query ends between two blocks: each is one point.
        await node.command(f"CREATE TABLE {table}_kept ENGINE = Log AS SELECT * FROM {table}")
        await node.command(f"DROP TABLE {table}")
        await node.command(
            f"CREATE VIEW {table} AS SELECT * REPLACE (value + sleepEachRow({SLEPT_SECONDS})"
            f" AS value) FROM {table}_kept SETTINGS max_block_size = 1, max_threads = 1"
        )


async def running(clickhouse: ClickHouse, mark: str) -> list[bool]:
    """Return for each node whether a query runs there, and has for a while, that has `mark`."""

    async def is_running_on(node: ClickHouse) -> bool:
        found = await node.query(
            "SELECT count() AS running FROM system.processes WHERE elapsed > {slept:Float64}"
            " AND position(replaceAll(query, '`', ''), {mark:String}) > 0"
            " AND position(query, 'system.processes') = 0",
            {"slept": 3 * SLEPT_SECONDS, "mark": mark},
        )
        return bool(found.column("running")[0].as_py())

    return await asyncio.gather(*map(is_running_on, clickhouse.nodes))
