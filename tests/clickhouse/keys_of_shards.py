"""Keys of organizations by the shard that has what is theirs."""

from __future__ import annotations

from typing import Final

from tests.stack import Stack

from vumeter_server.access.keys import NewKey
from vumeter_server.clickhouse import ClickHouse

SHARDS: Final = 3


async def keys_of_shards(clickhouse: ClickHouse, stack: Stack) -> list[NewKey]:
    """Make organizations until each shard has one; return the key of one on each shard."""
    found: dict[int, NewKey] = {}
    for number in range(100):
        if len(found) < SHARDS:
            key = stack.make_key(f"clinic-{number}")
            shard = await shard_of(clickhouse, "organization_entries", f"key_id = '{key.key_id}'")
            found.setdefault(shard, key)
    return [found[shard] for shard in range(SHARDS)]


async def shard_of(clickhouse: ClickHouse, table: str, condition: str = "1") -> int:
    """Return the shard, counted from 0, that has the rows of a table that fulfill a condition."""
    found = await clickhouse.query(
        f"SELECT DISTINCT _shard_num AS shard FROM {clickhouse.layout.reads(table)}"
        f" WHERE {condition}"
    )
    (shard,) = found.column("shard").to_pylist()
    return int(shard) - 1
