"""For how long a node that hangs keeps others waiting, and what becomes of what was sent to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pyarrow as pa
import pytest
from tests.clickhouse.cluster import ClickHouseCluster, hung, killed
from tests.clickhouse.entries import TABLE, kinds, shards

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.errors import Unavailable

# What is promised, and three seconds for a busy machine: the next deadline is at ten.
ONE_SECOND: Final = 1.0 + 3.0
THREE_SECONDS: Final = 3.0 + 3.0
ROWS: Final = 1_000


@pytest.fixture
async def clickhouse(clickhouse_cluster: ClickHouseCluster) -> AsyncIterator[HttpClickHouse]:
    """An empty database; the nodes run."""
    async with clickhouse_cluster.clickhouse() as opened:
        yield opened


async def insert(clickhouse: ClickHouse, organization: int, *, token: str = "block") -> None:
    """Insert a block of many rows."""
    numbers = pa.array([organization] * ROWS, pa.int64())
    rows = pa.table({"organization": numbers, "kind": ["a"] * ROWS})
    await clickhouse.insert(clickhouse.layout.writes(TABLE), rows, token=token)


ASK: Final[dict[str, Callable[[ClickHouse, int], Awaitable[object]]]] = {
    "query": kinds,
    "insert": insert,
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
async def test_a_hung_shard_is_given_up_after_a_second_where_nobody_is_connected_to_it(
    clickhouse_cluster: ClickHouseCluster,
    clickhouse: HttpClickHouse,
    ask: Callable[[ClickHouse, int], Awaitable[object]],
) -> None:
    organizations = await shards(clickhouse)
    first, _, last = clickhouse_cluster.nodes
    with killed(first):
        pass
    asking = HttpClickHouse.at(clickhouse_cluster.address(clickhouse.layout.database), "")
    # It has asked another one, so that nothing else is new to it.
    await insert(asking, organizations[1], token="other")
    assert len(await kinds(asking, organizations[1])) == ROWS
    with hung(last):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(ask(asking, organizations[2]), ONE_SECOND)
        await insert(asking, organizations[1], token="another")
    await asking.close()


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
async def test_a_hung_shard_is_given_up_after_three_seconds_on_a_connection_that_is_kept(
    clickhouse_cluster: ClickHouseCluster,
    clickhouse: HttpClickHouse,
    ask: Callable[[ClickHouse, int], Awaitable[object]],
) -> None:
    organizations = await shards(clickhouse)
    await insert(clickhouse, organizations[2], token="before")
    assert len(await kinds(clickhouse, organizations[2])) == ROWS
    with hung(clickhouse_cluster.nodes[2]):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(ask(clickhouse, organizations[2]), THREE_SECONDS)
        # After that, as where nobody was connected.
        with pytest.raises(Unavailable):
            await asyncio.wait_for(ask(clickhouse, organizations[2]), ONE_SECOND)


@pytest.mark.parametrize("is_connected", [False, True])
async def test_a_query_to_a_first_host_that_hangs_is_answered_by_the_next_after_three_seconds(
    clickhouse_cluster: ClickHouseCluster, clickhouse: HttpClickHouse, *, is_connected: bool
) -> None:
    organizations = await shards(clickhouse)
    await insert(clickhouse, organizations[1])
    asking = HttpClickHouse.at(clickhouse_cluster.address(clickhouse.layout.database), "")
    if is_connected:
        assert len(await kinds(asking, organizations[1])) == ROWS
    with hung(clickhouse_cluster.nodes[0]):
        for seconds in (THREE_SECONDS, ONE_SECOND):
            found = await asyncio.wait_for(kinds(asking, organizations[1]), seconds)
            assert len(found) == ROWS
    await asking.close()


@pytest.mark.parametrize("is_connected", [False, True])
async def test_an_insert_to_a_first_host_that_hangs_is_refused_and_the_next_goes_to_another(
    clickhouse_cluster: ClickHouseCluster, clickhouse: HttpClickHouse, *, is_connected: bool
) -> None:
    organizations = await shards(clickhouse)
    asking = HttpClickHouse.at(clickhouse_cluster.address(clickhouse.layout.database), "")
    if is_connected:
        assert await kinds(asking, organizations[1]) == []
    with hung(clickhouse_cluster.nodes[0]):
        # Nothing was asked since it hangs, so nobody knows. It may have got what it was sent.
        with pytest.raises(Unavailable):
            await asyncio.wait_for(insert(asking, organizations[1]), THREE_SECONDS)
        others = HttpClickHouse.at(clickhouse_cluster.address(asking.layout.database, first=1), "")
        assert await kinds(others, organizations[1]) == []
        # Its block has the same name, which is stored once.
        await asyncio.wait_for(insert(asking, organizations[1]), ONE_SECOND)
        assert len(await kinds(others, organizations[1])) == ROWS
        await others.close()
    # What the first one was sent it works at when it goes on.
    assert len(await kinds(clickhouse, organizations[1])) == ROWS
    await asking.close()


async def test_an_insert_goes_to_the_next_host_where_the_first_one_is_down(
    clickhouse_cluster: ClickHouseCluster, clickhouse: HttpClickHouse
) -> None:
    organizations = await shards(clickhouse)
    asking = HttpClickHouse.at(clickhouse_cluster.address(clickhouse.layout.database), "")
    with killed(clickhouse_cluster.nodes[0]):
        await asyncio.wait_for(insert(asking, organizations[1]), ONE_SECOND)
        assert len(await kinds(asking, organizations[1])) == ROWS
    await asking.close()
