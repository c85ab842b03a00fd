"""What is on which shard, and organizations on each."""

from __future__ import annotations

from typing import Final

from tests.stack import Stack

from vumeter_server.clickhouse import ClickHouse

SHARDS: Final = 3


async def organizations_on_shards(clickhouse: ClickHouse, stack: Stack) -> list[str]:
    """Make organizations until each shard has one; return the name of one on each shard."""
    found: dict[int, str] = {}
    for number in range(100):
        if len(found) < SHARDS:
            name = f"clinic-{number}"
            key = stack.make_key(name)
            shard = await shard_of(clickhouse, "organization_entries", f"key_id = '{key.key_id}'")
            found.setdefault(shard, name)
    return [found[shard] for shard in range(SHARDS)]


async def shard_of(clickhouse: ClickHouse, table: str, condition: str = "1") -> int:
    """Return the shard, counted from 0, that has the rows of a table that fulfill a condition."""
    found = await clickhouse.query(
        f"SELECT DISTINCT _shard_num AS shard FROM {clickhouse.layout.reads(table)}"
        f" WHERE {condition}"
    )
    (shard,) = found.column("shard").to_pylist()
    return int(shard) - 1
