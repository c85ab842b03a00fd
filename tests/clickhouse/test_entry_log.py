"""A log's numbers go to one writer each, whoever else wants them at the same time."""

from __future__ import annotations

import asyncio

import pyarrow as pa
import pytest
from tests.effort import tries

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.entry_log import GIVEN_UP_AFTER_SECONDS, EntryLog
from vumeter_server.errors import Unavailable

TABLE = "organization_entries"


@pytest.fixture
async def log(clickhouse: ClickHouse) -> EntryLog:
    """Logs of organizations."""
    return EntryLog(clickhouse, TABLE, {"organization": "Int64"})


def block(organization: int, *names: str) -> pa.Table:
    return pa.table(
        {
            "organization": pa.array([organization] * len(names), pa.int64()),
            "kind": list(names),
        }
    )


def now() -> float:
    return asyncio.get_running_loop().time()


async def entries(clickhouse: ClickHouse, organization: int) -> list[tuple[int, str]]:
    found = await clickhouse.query(
        f"SELECT seq, kind FROM {clickhouse.layout.reads(TABLE)}"
        " WHERE organization = {organization:Int64} ORDER BY seq, kind",
        {"organization": organization},
    )
    return [(row["seq"], row["kind"]) for row in found.to_pylist()]


async def test_a_number_is_given_once(clickhouse: ClickHouse, log: EntryLog) -> None:
    append = log.append
    assert await append({"organization": 1}, 1, block(1, "a", "b"), read_at=now())
    assert not await append({"organization": 1}, 1, block(1, "c"), read_at=now())
    assert await append({"organization": 1}, 2, block(1, "d"), read_at=now())
    assert await append({"organization": 2}, 1, block(2, "e"), read_at=now())
    assert await entries(clickhouse, 1) == [(1, "a"), (1, "b"), (2, "d")]
    assert await entries(clickhouse, 2) == [(1, "e")]


async def test_of_writers_at_the_same_time_one_gets_each_number(
    clickhouse: ClickHouse, log: EntryLog
) -> None:
    rounds = tries(10, 200)
    for seq in range(1, rounds + 1):
        won = await asyncio.gather(
            *(
                log.append({"organization": 7}, seq, block(7, f"{writer}"), read_at=now())
                for writer in range(4)
            )
        )
        assert sorted(won) == [False, False, False, True]
        assert (await entries(clickhouse, 7))[seq - 1 :] == [(seq, str(won.index(True)))]


async def test_what_was_read_too_long_ago_is_given_up(
    clickhouse: ClickHouse, log: EntryLog
) -> None:
    read_at = now() - GIVEN_UP_AFTER_SECONDS - 1
    with pytest.raises(Unavailable):
        await log.append({"organization": 1}, 1, block(1, "a"), read_at=read_at)
    assert await entries(clickhouse, 1) == []


async def test_a_token_that_outlived_its_block_does_not_block_the_log(
    clickhouse: ClickHouse, log: EntryLog
) -> None:
    # A node that is killed may remember a token whose block it has lost.
    await log.append({"organization": 1}, 1, block(1, "lost"), read_at=now())
    for node in clickhouse.nodes:
        await node.command(
            f"ALTER TABLE {clickhouse.layout.local(TABLE)} DELETE WHERE kind = 'lost'"
        )
    assert await log.append({"organization": 1}, 1, block(1, "kept"), read_at=now())
    assert not await log.append({"organization": 1}, 1, block(1, "late"), read_at=now())
    assert await entries(clickhouse, 1) == [(1, "kept")]
