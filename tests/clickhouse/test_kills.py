"""`kill -9` of nodes and servers while writers of every family race: nothing lost, nothing twice.

`make test` kills two of each, `make test-cluster-kills KILLS=60` as many as it says.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.clickhouse.killed_servers import KilledServer, KilledServers
from tests.clickhouse.racing_keys import KeysWriter, assert_keys_are_as_told
from tests.clickhouse.racing_points import DeletingWriter, TypesWriter, types_told
from tests.clickhouse.racing_writers import (
    CallsWriter,
    CumulativeWriter,
    EventsWriter,
    KeyedPointsWriter,
    Writer,
)
from tests.conformance.live_metrics.memory import MemoryLiveStore
from tests.conformance.live_metrics.random_events import answers
from tests.conformance.live_metrics.records import Records
from tests.live_metrics.stores import HOUR, MINUTE, SetClock
from tests.live_metrics.stores import NINE as NINE_US
from tests.stack import ADMIN_TOKEN
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.commands.on_cluster import ClusterAdministration
from vumeter_server.live_metrics.clickhouse import ClickHouseLiveStore
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.store import LiveStore

KILLS: Final = int(os.environ.get("TEST_CLUSTER_KILLS") or 2)
KILLS_OF_A_DATABASE: Final = 10
SERVERS: Final = 2
GOES_ON_WITHIN_SECONDS: Final = 120.0
AGGREGATE: Final = "vumeter.custom_metrics.v1.CustomMetricsRestService/GetAggregate"
EXECUTION: Final = "vumeter.simulation.v1.SimulationService/GetExecutionMetrics"
LIVE_RANGES: Final = [(NINE_US, 2 * HOUR, 5 * MINUTE), (NINE_US + 1, 17 * MINUTE, 90_000_000)]
pytestmark = pytest.mark.timeout(600 + 60 * KILLS)


@pytest.fixture
def database(clickhouse_cluster: ClickHouseCluster) -> str:
    """The name of a database that there is not yet."""
    return new_database()


@pytest.fixture
def administration(clickhouse_cluster: ClickHouseCluster, database: str) -> ClusterAdministration:
    """What commands do; the first one makes the tables."""
    address = clickhouse_cluster.address(database)
    return ClusterAdministration(BlockingClickHouse(lambda: opened_clickhouse(address, "")))


@pytest.fixture
def servers(
    clickhouse_cluster: ClickHouseCluster,
    database: str,
    administration: ClusterAdministration,
    tmp_path: Path,
) -> Iterator[KilledServers]:
    """Servers of that database."""
    administration.keys.list_organizations()
    running = KilledServers(tmp_path, clickhouse_cluster.store(database), SERVERS)
    yield running
    running.close()


@pytest.mark.parametrize("first", range(0, KILLS, KILLS_OF_A_DATABASE))
def test_whoever_is_killed_nothing_acknowledged_is_lost_doubled_or_contradicted(
    first: int,
    clickhouse_cluster: ClickHouseCluster,
    database: str,
    administration: ClusterAdministration,
    servers: KilledServers,
) -> None:
    shown, shown_of_types = (
        credentials(administration.keys.create_key(name, Role.OWNER, None))
        for name in ("acme", "many metrics")
    )
    oracle, lock = Records(), threading.Lock()
    oracle.start("epoch", 0)
    points = [KeyedPointsWriter(f"points{each}", servers, shown) for each in range(2)]
    exporters = [CumulativeWriter(f"exporter{each}", servers, shown) for each in range(2)]
    events = [EventsWriter(oracle, lock, f"events{each}", servers, shown) for each in range(2)]
    calls = [CallsWriter(f"calls{each}", servers, shown) for each in range(2)]
    keys = [KeysWriter(clickhouse_cluster, database, "keys", servers, shown)]
    types = [TypesWriter(f"types{each}", servers, shown_of_types) for each in range(2)]
    deleting = [DeletingWriter(f"deleting{each}", servers, shown) for each in range(2)]
    writers: Sequence[Writer] = [
        *(*points, *exporters, *events, *calls, *keys),
        *(*types, *deleting),
    ]

    steps = range(first, min(first + KILLS_OF_A_DATABASE, KILLS))
    kill_while_writing(clickhouse_cluster, servers, writers, steps)

    expected: dict[str, int] = {}
    for batches in (
        *(each.expected for each in points),
        *(each.expected for each in exporters),
        *(each.expected for each in deleting),
    ):
        expected |= batches
    sums: dict[str, int] = {}
    metrics: dict[str, str] = {}
    for of_types in types:
        sums |= of_types.sums
        metrics |= of_types.types
    for server in servers.servers:
        assert summed_by_batch(server, shown) == expected
        assert types_told(server, shown_of_types) == metrics
        assert aggregated(server, shown_of_types) == sums
    for each_calls in calls:
        found = {name: calls_of(servers, shown, name) for name in each_calls.expected}
        assert found == each_calls.expected
    executions = sum(len(each.expected) for each in calls)
    told = assert_keys_are_as_told(administration.keys, keys)
    assert_live_is_as_told(clickhouse_cluster, database, oracle)
    assert administration.problems() == []
    print(  # noqa: T201 - the figures
        f"{len(steps)} nodes and {len(steps)} servers killed;"
        f" {sum(each.not_known for each in writers)} answers did not say what was done;"
        f" rounds: {', '.join(f'{each.name} {each.rounds}' for each in writers)};"
        f" {sum(expected.values())} points, {len(metrics)} metrics of one type each,"
        f" {executions} executions, {told} keys:"
        " none lost, none double, none contradicted"
    )


def credentials(key: NewKey) -> dict[str, str]:
    """What a caller shows to every family."""
    return {
        "authorization": f"Bearer {key.bearer}",
        "x-api-key": key.key_id,
        "x-secret-key": key.secret,
        "x-admin-token": ADMIN_TOKEN,
    }


def kill_while_writing(
    cluster: ClickHouseCluster, servers: KilledServers, writers: Sequence[Writer], steps: range
) -> None:
    """Kill a node and a server, in any order and shortly after each other; all writers go on."""
    chance = random.Random(steps.start)
    for writer in writers:
        writer.start()
    try:
        all_go_on(writers)
        for step in steps:
            node, server = chance.choice(cluster.nodes), chance.choice(servers.servers)
            for kill in chance.sample((node.kill, server.kill), 2):
                # The moment of a kill is any.
                time.sleep(chance.random() * 2)
                kill()
            # What is gone stays so for a while.
            time.sleep(chance.random())
            # In this order: a server starts when all shards answer.
            node.start()
            node.wait_until_it_answers()
            server.start()
            server.wait_until_it_answers()
            all_go_on(writers)
            rounds = sum(writer.rounds for writer in writers)
            print(f"{step + 1} of {KILLS} nodes and servers killed, {rounds} rounds")  # noqa: T201
    finally:
        for writer in writers:
            writer.is_over.set()
        for writer in writers:
            writer.join()
    assert [writer.error for writer in writers if writer.error] == []


def all_go_on(writers: Sequence[Writer]) -> None:
    before = {writer.name: writer.rounds for writer in writers}

    def have_gone_on() -> bool:
        for writer in writers:
            if writer.error is not None:
                raise writer.error
        return all(writer.rounds > before[writer.name] for writer in writers)

    until(have_gone_on, seconds=GOES_ON_WITHIN_SECONDS, every_seconds=0.1)


def summed_by_batch(server: KilledServer, shown: Mapping[str, str]) -> dict[str, int]:
    """Return what there is of each batch and series, whatever the metric."""
    rows = aggregated(server, shown, groupBy="batch")
    return {row["batch"]: sum(row["metrics"].values()) for row in rows}


def aggregated(server: KilledServer, shown: Mapping[str, str], **options: str) -> Any:
    """Return the sums of all metrics."""
    request = {"startDate": "2020-01-01", "endDate": "2029-12-31", **options}
    reply = server.ask(AGGREGATE, request, shown)
    assert reply.code is grpc.StatusCode.OK, reply
    return json.loads(reply.message.data)["data"]


def calls_of(servers: KilledServers, shown: Mapping[str, str], execution_id: str) -> int:
    """Return how many calls an execution has."""
    request = {"execution_id": execution_id}
    reply, _ = servers.settled(EXECUTION, request, shown, random.Random(execution_id))
    assert reply.code is grpc.StatusCode.OK, reply
    return int(reply.message.execution.calls.total)


def assert_live_is_as_told(cluster: ClickHouseCluster, database: str, oracle: Records) -> None:
    """Lists, tenants and history are those of brute force over all that was acknowledged."""
    # Totals are left out: they begin again when no server has said for a while that it runs.
    asked = ("lists", "accepted", "pending")

    async def found_in(clickhouse: ClickHouse) -> dict[str, object]:
        store = await ClickHouseLiveStore.beside(clickhouse, SetClock())
        return await answers_of(store)

    async def answers_of(store: LiveStore) -> dict[str, object]:
        known = [(each.tenant_id, each.last_occurred_us) for each in await store.tenants("", 10)]
        found = await answers(store, await LiveView.of(store), LIVE_RANGES)
        return {"known": known} | {
            name: answer
            for name, answer in found.items()
            if name.startswith("history") or name in asked
        }

    async def compare() -> None:
        async with opened_clickhouse(cluster.address(database), "") as clickhouse:
            found = await found_in(clickhouse)
        expected = await answers_of(MemoryLiveStore(oracle, SetClock(), "epoch"))
        for name, answer in expected.items():
            assert found[name] == answer, name

    asyncio.run(compare())
