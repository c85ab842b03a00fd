"""A disk that is full: nothing is recorded, what there is is answered, and room can be made."""

from __future__ import annotations

import pytest
from tests.clickhouse.entries import TABLE, append, kinds

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.layout import ROOM_KEPT
from vumeter_server.errors import Unavailable

SETTING = "min_free_disk_bytes_to_perform_insert"


async def keep_free(clickhouse: ClickHouse, room: int) -> None:
    for node in clickhouse.nodes:
        await node.command(
            f"ALTER TABLE {clickhouse.layout.local(TABLE)} MODIFY SETTING {SETTING} = {room}"
        )


async def test_every_table_leaves_room_on_the_disk(clickhouse: ClickHouse) -> None:
    found = await clickhouse.query(
        "SELECT name, engine_full FROM system.tables"
        " WHERE database = {database:String} AND name LIKE '%\\\\_local'",
        {"database": clickhouse.layout.database},
    )
    tables = {row["name"]: row["engine_full"] for row in found.to_pylist()}
    assert len(tables) > 10
    assert [name for name, made in tables.items() if f"{SETTING} = {ROOM_KEPT}" not in made] == []


async def test_with_the_room_that_is_left_entries_are_removed_and_then_written(
    clickhouse: ClickHouse,
) -> None:
    for seq in (1, 2):
        await append(clickhouse, 1, seq, f"kind {seq}")
    await keep_free(clickhouse, 10**18)
    with pytest.raises(Unavailable):
        await append(clickhouse, 1, 3)
    assert await kinds(clickhouse, 1) == ["kind 1", "kind 2"]
    for node in clickhouse.nodes:
        await node.command(f"ALTER TABLE {clickhouse.layout.local(TABLE)} DELETE WHERE seq = 1")
    assert await kinds(clickhouse, 1) == ["kind 2"]
    await keep_free(clickhouse, 0)
    assert await append(clickhouse, 1, 3, "kind 3")
    assert await kinds(clickhouse, 1) == ["kind 2", "kind 3"]
