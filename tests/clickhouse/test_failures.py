"""What becomes of calls while nodes of a cluster are down, hang or come back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

import pytest
from tests.clickhouse.cluster import (
    CLUSTER,
    ClickHouseCluster,
    ClickHouseNode,
    hung,
    killed,
)
from tests.clickhouse.entries import TABLE, append, kinds, shards
from tests.clickhouse.slowed import running
from tests.effort import tries
from tests.waiting import comes_to_hold

from vumeter_server.clickhouse import ClickHouseError
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.errors import DeadlineExceeded, Unavailable
from vumeter_server.runtime.start_error import StartError

GIVEN_UP_SECONDS = 15
# Left alone, a query would be ended after a minute.
QUERY_SECONDS = 60
STOPPED_WITHIN_SECONDS = 10

Failing: TypeAlias = Callable[[ClickHouseNode], AbstractContextManager[None]]


@pytest.fixture
def cluster(clickhouse_cluster: ClickHouseCluster) -> ClickHouseCluster:
    """A cluster whose nodes these tests end, and start again."""
    return clickhouse_cluster


@pytest.fixture
async def clickhouse(cluster: ClickHouseCluster) -> AsyncIterator[HttpClickHouse]:
    """An empty database; the nodes run."""
    async with cluster.clickhouse() as opened:
        yield opened


@pytest.mark.parametrize("failing", [killed, hung])
async def test_a_shard_that_is_gone_is_unavailable_and_the_others_answer(
    cluster: ClickHouseCluster, clickhouse: HttpClickHouse, failing: Failing
) -> None:
    organizations = await shards(clickhouse)
    for organization in organizations.values():
        assert await append(clickhouse, organization, 1)
    with failing(cluster.nodes[2]):
        for shard, organization in organizations.items():
            if shard == 2:
                # It is given up after a second, not after ClickHouse's half minute.
                with pytest.raises(Unavailable):
                    await asyncio.wait_for(kinds(clickhouse, organization), GIVEN_UP_SECONDS)
                inserting = append(clickhouse, organization, 2, "b")
                with pytest.raises(Unavailable):
                    await asyncio.wait_for(inserting, GIVEN_UP_SECONDS)
            else:
                assert await append(clickhouse, organization, 2, "b")
                assert await kinds(clickhouse, organization) == ["a", "b"]
        # Nothing is answered from a part of the shards.
        with pytest.raises(Unavailable):
            await clickhouse.query(f"SELECT count() FROM {clickhouse.layout.reads(TABLE)}")
    # A repeat takes the place, or finds that the first try has it: the entry is there once.
    with contextlib.suppress(Unavailable):
        await append(clickhouse, organizations[2], 2, "b")
    assert await kinds(clickhouse, organizations[2]) == ["a", "b"]


@pytest.mark.parametrize("failing", [killed, hung])
async def test_the_next_host_is_asked_where_one_does_not_answer(
    cluster: ClickHouseCluster, clickhouse: HttpClickHouse, failing: Failing
) -> None:
    organizations = await shards(clickhouse)
    assert await append(clickhouse, organizations[1], 1)
    # The first host of all, which holds shard 0.
    with failing(cluster.nodes[0]):
        assert await kinds(clickhouse, organizations[1]) == ["a"]
        assert await append(clickhouse, organizations[1], 2)
        # Also for one who has not asked before.
        fresh = HttpClickHouse.at(cluster.address(clickhouse.layout.database), "")
        assert await kinds(fresh, organizations[1]) == ["a", "a"]
        await fresh.close()


async def test_nobody_answers(cluster: ClickHouseCluster, clickhouse: HttpClickHouse) -> None:
    organizations = await shards(clickhouse)
    with contextlib.ExitStack() as all_killed:
        for node in cluster.nodes:
            all_killed.enter_context(killed(node))
        with pytest.raises(Unavailable):
            await kinds(clickhouse, organizations[0])
        with pytest.raises(Unavailable):
            await append(clickhouse, organizations[0], 1)
        with pytest.raises(StartError, match=r"none of .* answers"):
            async with opened_clickhouse(cluster.address(clickhouse.layout.database), ""):
                pass
    assert await append(clickhouse, organizations[0], 1)


async def test_what_a_node_refuses_later_is_unavailable_and_the_next_answer_is_whole(
    cluster: ClickHouseCluster, clickhouse: HttpClickHouse
) -> None:
    organizations = await shards(clickhouse)
    assert await append(clickhouse, organizations[2], 1)
    # The password was changed.
    address = cluster.address(clickhouse.layout.database)
    refused = HttpClickHouse.at(address, "changed since")
    with pytest.raises(Unavailable):
        await kinds(refused, organizations[2])
    with pytest.raises(Unavailable):
        await append(refused, organizations[2], 2)
    await refused.close()
    # No memory is left.
    with pytest.raises(Unavailable):
        await clickhouse.query(
            f"SELECT groupArray(number) FROM numbers(10000000) AS numbers,"
            f" {clickhouse.layout.reads(TABLE)} AS entries",
            settings={"max_memory_usage": 10_000_000},
        )
    # It takes too long.
    with pytest.raises(DeadlineExceeded):
        await clickhouse.query(
            f"SELECT sum(sipHash64(number)) FROM numbers(1000000000000) AS numbers,"
            f" {clickhouse.layout.reads(TABLE)} AS entries",
            seconds=1,
        )
    # The tables of one node are older.
    older = clickhouse.nodes[2]
    local = clickhouse.layout.local(TABLE)
    await older.command(f"ALTER TABLE {local} RENAME COLUMN kind TO sort")
    with pytest.raises(Unavailable):
        await kinds(clickhouse, organizations[2])
    with pytest.raises(Unavailable):
        await append(clickhouse, organizations[2], 2)
    await older.command(f"ALTER TABLE {local} RENAME COLUMN sort TO kind")
    assert await append(clickhouse, organizations[2], 2)
    assert await kinds(clickhouse, organizations[2]) == ["a", "a"]


async def test_a_query_whose_caller_has_gone_stops_on_all_nodes(
    cluster: ClickHouseCluster, clickhouse: HttpClickHouse
) -> None:
    mark = f"mark_{clickhouse.layout.database}"

    async def is_running_on_all() -> bool:
        assert not slow.done()
        return all(await running(clickhouse, mark))

    async def has_stopped_on_all() -> bool:
        return not any(await running(clickhouse, mark))

    asking = HttpClickHouse.at(
        cluster.address(clickhouse.layout.database), "", query_seconds=QUERY_SECONDS
    )
    slow = asyncio.ensure_future(
        asking.query(
            f"SELECT sum(sipHash64(number)) AS {mark} FROM clusterAllReplicas('{CLUSTER}',"
            " view(SELECT number FROM numbers(1000000000000)))"
        )
    )
    await comes_to_hold(is_running_on_all)
    slow.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await slow
    await comes_to_hold(has_stopped_on_all, seconds=STOPPED_WITHIN_SECONDS)
    await asking.close()


async def test_writers_race_while_the_storing_node_is_killed(
    cluster: ClickHouseCluster, clickhouse: HttpClickHouse
) -> None:
    """Every number has one entry, no number is missing, and what was acknowledged is there."""
    organizations = await shards(clickhouse)
    organization, kills = organizations[1], tries(4, 60)
    acknowledged: dict[int, str] = {}
    is_over = asyncio.Event()

    async def write(writer: int) -> None:
        own = HttpClickHouse.at(
            cluster.address(clickhouse.layout.database, first=writer), "", query_seconds=3
        )
        turn = 0
        while not is_over.is_set():
            turn += 1
            kind = f"{writer}-{turn}"
            with contextlib.suppress(Unavailable, DeadlineExceeded, ClickHouseError):
                seq = len(await kinds(own, organization)) + 1
                if await append(own, organization, seq, kind):
                    assert seq not in acknowledged
                    acknowledged[seq] = kind
        await own.close()

    writers = [asyncio.ensure_future(write(number)) for number in range(3)]
    chance = random.Random(1)
    for _ in range(kills):
        await asyncio.sleep(chance.random())
        cluster.nodes[1].kill()
        cluster.nodes[1].start()
        await asyncio.to_thread(cluster.nodes[1].wait_until_it_answers)
    await asyncio.sleep(0.5)
    is_over.set()
    await asyncio.gather(*writers)
    found = await clickhouse.query(
        f"SELECT seq, any(kind) AS kind, count() AS entries FROM {clickhouse.layout.reads(TABLE)}"
        " WHERE organization = {organization:Int64} GROUP BY seq ORDER BY seq",
        {"organization": organization},
    )
    rows = found.to_pylist()
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["entries"] for row in rows} == {1}
    stored = {row["seq"]: row["kind"] for row in rows}
    assert acknowledged
    assert {seq: stored.get(seq) for seq in acknowledged} == acknowledged
