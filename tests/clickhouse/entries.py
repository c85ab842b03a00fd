"""Entries of one log, written and read straight on ClickHouse: what failures must not lose."""

from __future__ import annotations

import asyncio

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.entry_log import EntryLog

TABLE = "organization_entries"


def block(organization: int, kind: str = "a") -> pa.Table:
    return pa.table({"organization": pa.array([organization], pa.int64()), "kind": [kind]})


async def append(clickhouse: ClickHouse, organization: int, seq: int, kind: str = "a") -> bool:
    log = EntryLog(clickhouse, TABLE, {"organization": "Int64"})
    now, rows = asyncio.get_running_loop().time(), block(organization, kind)
    return await log.append({"organization": organization}, seq, rows, read_at=now)


async def kinds(clickhouse: ClickHouse, organization: int) -> list[str]:
    found = await clickhouse.query(
        f"SELECT kind FROM {clickhouse.layout.reads(TABLE)}"
        " WHERE organization = {organization:Int64} ORDER BY seq",
        {"organization": organization},
    )
    return list(found.column("kind").to_pylist())


async def shards(clickhouse: ClickHouse) -> dict[int, int]:
    """Return for each shard an organization that is on it."""
    found = await clickhouse.query(
        "SELECT cityHash64(organization) % 3 AS shard, min(organization) AS its_organization"
        " FROM (SELECT toInt64(number) AS organization FROM numbers(1, 100)) GROUP BY shard"
    )
    return {row["shard"]: row["its_organization"] for row in found.to_pylist()}
