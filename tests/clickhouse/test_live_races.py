"""Servers that record live metrics at one time, while nodes of the cluster are killed too."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from tests.clickhouse.cluster import ClickHouseCluster
from tests.conformance.live_metrics.memory import MemoryLiveStore
from tests.conformance.live_metrics.random_events import TENANTS, answers
from tests.conformance.live_metrics.records import Records
from tests.effort import tries
from tests.live_metrics.many_events import as_event, some_events
from tests.live_metrics.stores import HOUR, MINUTE, NINE, SetClock

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.errors import Conflict, DeadlineExceeded, Unavailable
from vumeter_server.live_metrics.clickhouse import ClickHouseLiveStore
from vumeter_server.live_metrics.clickhouse.verification import find_problems
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.model import Event

RANGES = [(NINE, 2 * HOUR, 5 * MINUTE), (NINE + 1, 17 * MINUTE, 90_000_000)]


@pytest.fixture
async def clickhouse(clickhouse_cluster: ClickHouseCluster) -> AsyncIterator[HttpClickHouse]:
    """An empty database."""
    async with clickhouse_cluster.clickhouse() as opened:
        yield opened


async def servers_on(
    clickhouses: Sequence[ClickHouse], clock: SetClock
) -> list[tuple[ClickHouseLiveStore, LiveView]]:
    """Return a server with its view for each; all have the epoch of the first."""
    stores = [await ClickHouseLiveStore.open(each, clock, "epoch-1") for each in clickhouses]
    return [(store, await LiveView.of(store)) for store in stores]


def batches_of(chance: random.Random, number: int) -> list[list[Event]]:
    """Return batches of which some have events of others, or other content under their ids."""
    batches = [[as_event(each) for each in some_events(chance, each)] for each in range(number)]
    for batch in batches:
        others = chance.choices([event for each in batches for event in each], k=3)
        batch += [each if chance.random() < 0.9 else replace(each, sequence=7) for each in others]
    return batches


async def show_the_same(
    servers: Sequence[tuple[ClickHouseLiveStore, LiveView]], records: Records, clock: SetClock
) -> None:
    """Whatever is asked of any server, the answer is that of brute force."""
    memory = MemoryLiveStore(records, clock, "epoch-1")
    expected = await answers(memory, await LiveView.of(memory), RANGES)
    for store, view in servers:
        await store.catch_up()
        assert await answers(store, view, RANGES) == expected


async def test_servers_that_record_at_once_agree_on_everything(
    clickhouse: HttpClickHouse,
) -> None:
    clock = SetClock(now_us=NINE + 3 * HOUR)
    servers = await servers_on([*clickhouse.nodes, clickhouse.nodes[0]], clock)
    chance = random.Random(1)
    records = Records()
    records.start("epoch-1", 0)
    conflicts = 0

    async def record(store: ClickHouseLiveStore, batch: list[Event]) -> list[Event] | None:
        with contextlib.suppress(Conflict):
            await store.record(batch)
            return batch
        return None

    for round_ in range(tries(6, 60)):
        batches = batches_of(chance, 12)
        # Each batch goes to two servers, as a caller does who hears nothing of the first.
        recorded = await asyncio.gather(
            *(
                record(chance.choice(servers)[0], batch)
                for batch in chance.sample([*batches, *batches], 2 * len(batches))
            ),
            *(store.set_limit(TENANTS[0], round_) for store, _ in servers),
        )
        conflicts += sum(batch is None for batch in recorded)
        for batch in recorded:
            # What was acknowledged contradicts nothing else that was.
            if isinstance(batch, list):
                records.receive(batch, clock.now_us)
        await servers[0][0].set_limit(TENANTS[0], None)
        for store, view in servers:
            await store.catch_up()
            assert view.limit(TENANTS[0]) is None
    await MemoryLiveStore(records, clock, "epoch-1").set_limit(TENANTS[0], None)
    assert conflicts
    await show_the_same(servers, records, clock)
    assert await find_problems(clickhouse) == []


async def test_a_tenant_that_one_server_deletes_is_gone_on_all_at_once(
    clickhouse: HttpClickHouse,
) -> None:
    clock = SetClock(now_us=NINE + 3 * HOUR)
    servers = await servers_on(clickhouse.nodes, clock)
    chance = random.Random(2)
    events = [as_event(event) for number in range(10) for event in some_events(chance, number)]
    await servers[0][0].record(events)
    records = Records()
    records.start("epoch-1", 0)
    records.receive(events, clock.now_us)
    records.delete("clinic")

    deleted = await asyncio.gather(*(store.delete_tenant("clinic") for store, _ in servers))
    assert sum(each is not None for each in deleted) == 1
    for store, _ in servers:
        await store.finish_deletions()
    await show_the_same(servers, records, clock)
    # Its ids are free, on whichever server.
    await servers[1][0].record(events)
    records.receive(events, clock.now_us)
    await show_the_same(servers, records, clock)
    assert await find_problems(clickhouse) == []


async def test_a_server_that_reads_late_sees_what_was_deleted_and_removed_meanwhile(
    clickhouse: HttpClickHouse,
) -> None:
    clock = SetClock(now_us=NINE + 3 * HOUR)
    servers = await servers_on(clickhouse.nodes, clock)
    (other, _), (late, late_view), (deleting_late, _) = servers
    chance = random.Random(4)
    events = [as_event(event) for number in range(10) for event in some_events(chance, number)]
    await other.record(events)
    await other.set_limit("clinic", 7)
    for store, _ in servers:
        await store.catch_up()
    records = Records()
    records.start("epoch-1", 0)
    records.receive(events, clock.now_us)
    assert late_view.limit("clinic") == 7

    # The rows that said so are gone before the others read on.
    assert await other.delete_tenant("clinic") is not None
    records.delete("clinic")
    assert await deleting_late.delete_tenant("clinic") is None
    await show_the_same(servers, records, clock)
    assert late_view.limit("clinic") is None
    # It goes on from there.
    more = [as_event(event) for event in some_events(chance, 11)]
    await late.record(more)
    records.receive(more, clock.now_us)
    await show_the_same(servers, records, clock)
    assert await find_problems(clickhouse) == []


async def test_a_server_that_is_behind_cannot_append_before_it_has_read_on(
    clickhouse: HttpClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(now_us=NINE + 3 * HOUR)
    servers = await servers_on(clickhouse.nodes[:2], clock)
    (behind, _), (other, _) = servers
    chance = random.Random(3)
    first, second, third = (list(map(as_event, some_events(chance, each))) for each in range(3))
    await behind.record(first)
    await other.record(second)
    records = Records()
    records.start("epoch-1", 0)
    records.receive([*first, *second], clock.now_us)

    async def nothing() -> None:
        """Stand for a network that delivers nothing."""

    # As long as it reads nothing it takes the log to end where it did: it gives up, and what it
    # wanted is nowhere.
    with monkeypatch.context() as patched:
        patched.setattr(behind._log, "catch_up", nothing)
        patched.setattr("vumeter_server.live_metrics.clickhouse.log.GIVEN_UP_AFTER_SECONDS", 1.0)
        with pytest.raises(Unavailable):
            await behind.record(third)
    await show_the_same(servers, records, clock)
    await behind.record(third)
    records.receive(third, clock.now_us)
    await show_the_same(servers, records, clock)
    assert await find_problems(clickhouse) == []


async def test_while_nodes_are_killed_nothing_is_lost_or_doubled(
    clickhouse_cluster: ClickHouseCluster, clickhouse: HttpClickHouse
) -> None:
    clock = SetClock(now_us=NINE + 3 * HOUR)
    database = clickhouse.layout.database
    clients = [
        HttpClickHouse.at(clickhouse_cluster.address(database, first=first), "", query_seconds=3)
        for first in range(3)
    ]
    servers = await servers_on(clients, clock)
    found = await clickhouse.query("SELECT cityHash64(toInt64(0)) % 3 AS shard")
    storing = clickhouse_cluster.nodes[found.column("shard")[0].as_py()]
    records = Records()
    records.start("epoch-1", 0)
    is_over = asyncio.Event()
    requests = iter(range(1_000_000))
    unknown = 0

    async def write(writer: int) -> None:
        nonlocal unknown
        chance = random.Random(writer)
        while not is_over.is_set():
            batch = [as_event(event) for event in some_events(chance, next(requests))]
            # Through any server, until one says that it is recorded.
            while True:
                try:
                    await chance.choice(servers)[0].record(batch)
                    break
                except (Unavailable, DeadlineExceeded):
                    unknown += 1
                    await asyncio.sleep(0.05)
            records.receive(batch, clock.now_us)

    writers = [asyncio.ensure_future(write(number)) for number in range(4)]
    chance = random.Random(1)
    for _ in range(tries(4, 60)):
        await asyncio.sleep(0.3 + chance.random())
        storing.kill()
        storing.start()
        await asyncio.to_thread(storing.wait_until_it_answers)
    is_over.set()
    await asyncio.gather(*writers)
    assert unknown
    await show_the_same(servers, records, clock)
    assert await find_problems(clickhouse) == []
    for client in clients:
        await client.close()
