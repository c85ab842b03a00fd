"""Servers that record for one organization at one time, each through another node of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from tests.clickhouse.cluster import ClickHouseCluster, running_cluster
from tests.conformance.custom_metrics.asking import at, batch_of
from tests.conformance.custom_metrics.subjects import NOON_US
from tests.custom_metrics.points import Point
from tests.effort import tries

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.custom_metrics.clickhouse.verification import find_problems
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import Selection, SumQuery
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.errors import (
    Conflict,
    InvalidArgument,
    LimitExceeded,
    Unavailable,
    VumeterError,
)
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

ORGANIZATION = 7
ALL = SumQuery(selection=Selection(start_us=0, end_us=2**52))


@pytest.fixture
async def clickhouse(clickhouse_cluster: ClickHouseCluster) -> AsyncIterator[ClickHouse]:
    async with clickhouse_cluster.clickhouse() as opened:
        yield opened


@pytest.fixture(params=[0, 3_600_000_000], ids=["clocks in step", "clocks an hour apart"])
def servers(request: pytest.FixtureRequest, clickhouse: ClickHouse) -> list[ClickHouseMetricStore]:
    """Four servers, of which two ask the same node."""
    nodes = [*clickhouse.nodes, clickhouse.nodes[0]]
    times = [NOON_US + number * request.param for number in range(len(nodes))]
    return [
        ClickHouseMetricStore(node, partial(int, now_us))
        for node, now_us in zip(nodes, times, strict=True)
    ]


async def record(
    server: ClickHouseMetricStore,
    *points: Point,
    key: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> int | type[VumeterError]:
    batch = batch_of(*points)
    known = None if key is None else Idempotency(key=key, content_sha256=batch.digest())
    try:
        return await server.record(
            ORGANIZATION, batch, idempotency=known, now_us=NOON_US, limits=limits
        )
    except VumeterError as error:
        return type(error)


async def counted(server: ClickHouseMetricStore) -> dict[str, float]:
    found = await server.sums(ORGANIZATION, ALL)
    return dict(
        zip(found.metric_names, found.sums[0].tolist() if len(found.sums) else [], strict=True)
    )


async def test_of_recordings_with_one_key_one_is_stored(
    clickhouse: ClickHouse, servers: Sequence[ClickHouseMetricStore]
) -> None:
    rounds = tries(15, 300)
    total = 0.0
    for number in range(rounds):
        # Two contents, each of two servers.
        answers = await asyncio.gather(
            *(
                record(server, *[at(1, value=index % 2 + 1)] * 100, key=f"key_{number}")
                for index, server in enumerate(servers)
            )
        )
        assert sorted(map(str, answers)) == sorted(map(str, [100, 100, Conflict, Conflict]))
        total += 100 * (1 + answers.index(100) % 2)
        for server in servers:
            assert await counted(server) == {"booking_attempt": total}
    assert await find_problems(clickhouse, servers[0]) == []


async def test_the_first_type_of_a_metric_wins_on_every_server(
    clickhouse: ClickHouse, servers: Sequence[ClickHouseMetricStore]
) -> None:
    kinds = ("counter", "gauge")
    for number in range(tries(15, 200)):
        name = f"metric_{number}"
        answers = await asyncio.gather(
            *(
                record(server, at(1, name, type=kinds[index % 2], value=1))
                for index, server in enumerate(servers)
            )
        )
        of_server = [await server.metrics(ORGANIZATION) for server in servers]
        assert all(found == of_server[0] for found in of_server)
        winner = next(each.type for each in of_server[0] if each.name == name)
        expected = [
            1 if MetricType[kinds[index % 2].upper()] is winner else InvalidArgument
            for index in range(len(servers))
        ]
        assert answers == expected
        assert (await counted(servers[0]))[name] == 2
    assert await find_problems(clickhouse, servers[0]) == []


async def test_limits_are_kept_by_all_servers_together(
    servers: Sequence[ClickHouseMetricStore],
) -> None:
    limits = Limits(metrics=10)
    answers = await asyncio.gather(
        *(
            record(server, at(1, f"metric_{index}_{number}"), limits=limits)
            for index, server in enumerate(servers)
            for number in range(5)
        )
    )
    assert answers.count(1) == 10
    assert answers.count(LimitExceeded) == 10
    assert len(await servers[0].names(ORGANIZATION, None)) == 10


async def test_what_one_server_acknowledges_the_others_see_at_once(
    servers: Sequence[ClickHouseMetricStore],
) -> None:
    for number in range(1, tries(20, 300)):
        assert await record(servers[number % 4], at(1)) == 1
        assert await counted(servers[(number + 1) % 4]) == {"booking_attempt": number}


@pytest.mark.timeout(300)
async def test_kill_9_of_nodes_under_racing_writers_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    kills = tries(3, 60)
    with running_cluster(tmp_path) as cluster:
        async with cluster.clickhouse() as clickhouse:
            servers = [ClickHouseMetricStore(node, lambda: NOON_US) for node in clickhouse.nodes]
            acknowledged: set[int] = set()
            is_over = False

            async def write(writer: int) -> None:
                number = writer
                while not is_over:
                    # The same key by two writers, who both try again until they are told.
                    answer = await record(
                        servers[number % 3], *[at(1)] * 10, key=f"key_{number // 2}"
                    )
                    assert answer in (10, Unavailable)
                    if answer == 10:
                        acknowledged.add(number // 2)
                        number += 4

            writers = [asyncio.create_task(write(writer)) for writer in range(4)]
            for number in range(kills):
                before = len(acknowledged)
                while len(acknowledged) < before + 5:
                    await asyncio.sleep(0.01)
                    assert not any(writer.done() for writer in writers)
                node = cluster.nodes[number % 3]
                await asyncio.to_thread(node.kill)
                node.start()
                await asyncio.to_thread(node.wait_until_it_answers)
            is_over = True
            await asyncio.gather(*writers)
            # Whoever is told 503 asks again, with the same key.
            for key in range(max(acknowledged) + 3):
                assert await record(servers[0], *[at(1)] * 10, key=f"key_{key}") == 10
            keys = max(acknowledged) + 3
            assert await counted(servers[1]) == {"booking_attempt": 10 * keys}
            assert await find_problems(clickhouse, servers[0]) == []
