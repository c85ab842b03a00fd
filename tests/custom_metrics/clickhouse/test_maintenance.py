"""What is removed from the tables is not needed: answers stay, also for a server that starts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.clickhouse.places import ClickHousePlace
from tests.conformance.custom_metrics.asking import DAY_US, at, batch_of, plain
from tests.conformance.custom_metrics.subjects import NOON_US, SteppedClock

from vumeter_server.access.clickhouse.audit import ClickHouseAuditLog
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.custom_metrics.clickhouse.verification import find_problems
from vumeter_server.custom_metrics.questions import DeleteQuery, ExportQuery
from vumeter_server.custom_metrics.store import Idempotency

ORGANIZATION = 3


async def rows(clickhouse: ClickHouse, condition: str) -> int:
    table = clickhouse.layout.reads("metric_points")
    found = await clickhouse.query(f"SELECT toInt64(count()) AS c FROM {table} WHERE {condition}")
    count: int = found.column("c")[0].as_py()
    return count


async def everything(store: ClickHouseMetricStore) -> list[Any]:
    return [
        await store.metrics(ORGANIZATION),
        await store.tags(ORGANIZATION, None, None, 100),
        await store.usage.stored(ORGANIZATION, 100),
        [
            point
            async for piece in store.export_points(ORGANIZATION, ExportQuery())
            for point in plain(piece.batch)
        ],
    ]


async def record(store: ClickHouseMetricStore, number: int, now_us: int) -> int:
    point = at(number, tags={"company_id": f"c{number % 3}"}, session_id=f"s{number}")
    batch = batch_of(point, now_us=now_us)
    key = Idempotency(key=f"key_{number}", content_sha256=batch.digest())
    return await store.record(ORGANIZATION, batch, idempotency=key, now_us=now_us)


def test_a_log_is_short_after_a_while_and_goes_on(clickhouse_place: ClickHousePlace) -> None:
    clock = SteppedClock()

    async def run(clickhouse: ClickHouse) -> None:
        store = ClickHouseMetricStore(clickhouse, clock)
        for number in range(8):
            await record(store, number, clock.now_us)
        before = await everything(store)
        assert await rows(clickhouse, "metric = ''") == 16
        clock.now_us += 3 * DAY_US
        await store.maintenance.forget_outdated()
        # Three entries brought labels, and the last one says where the log ends.
        assert await rows(clickhouse, "metric = ''") == 4
        for server in (store, ClickHouseMetricStore(clickhouse, clock)):
            assert await everything(server) == before
            assert await record(server, 1, clock.now_us) == 1
            assert await record(server, 1, clock.now_us) == 1
            before = await everything(server)
        assert len(before[3]) == 9
        assert await find_problems(clickhouse, store) == []

    async def opened() -> None:
        async with clickhouse_place.opened() as clickhouse:
            await run(clickhouse)

    asyncio.run(opened())


def test_deleted_points_are_removed_after_a_while_and_not_before(
    clickhouse_place: ClickHousePlace,
) -> None:
    clock = SteppedClock()

    async def run(clickhouse: ClickHouse) -> None:
        store = ClickHouseMetricStore(clickhouse, clock)
        for number in range(4):
            await record(store, number, clock.now_us)
        assert await store.delete_points(ORGANIZATION, DeleteQuery(end_us=NOON_US)) == 4
        await record(store, 9, clock.now_us)
        before = await everything(store)
        await store.maintenance.remove_hidden()
        assert await rows(clickhouse, "metric != ''") == 5
        clock.now_us += DAY_US // 24
        await store.maintenance.remove_hidden()
        assert await rows(clickhouse, "metric != ''") == 1
        for server in (store, ClickHouseMetricStore(clickhouse, clock)):
            assert await everything(server) == before
        assert (await store.log.catalogs.moment(ORGANIZATION)).hidden == ()

    async def opened() -> None:
        async with clickhouse_place.opened() as clickhouse:
            await run(clickhouse)

    asyncio.run(opened())


def test_organizations_with_nothing_to_drop_or_remove_are_not_read(
    clickhouse_place: ClickHousePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteppedClock()
    read: list[int] = []

    async def run(clickhouse: ClickHouse) -> None:
        def server() -> ClickHouseMetricStore:
            """Return a server that starts, and notes which organizations' logs it reads."""
            audit = ClickHouseAuditLog(clickhouse, clock)
            started = ClickHouseMetricStore(clickhouse, clock, audit=audit, retention_days=30)
            read_on = started.log.catalogs.read_on

            async def noting(organization_id: int) -> None:
                read.append(organization_id)
                await read_on(organization_id)

            monkeypatch.setattr(started.log.catalogs, "read_on", noting)
            return started

        async def maintained() -> list[int]:
            read.clear()
            starting = server()
            await starting.maintenance.drop_expired()
            await starting.maintenance.remove_hidden()
            await starting.maintenance.forget_outdated()
            return sorted(set(read))

        store = server()
        for organization_id in (1, 2, 3):
            batch = batch_of(at(organization_id, session_id="s"), now_us=clock.now_us)
            await store.record(organization_id, batch, idempotency=None, now_us=clock.now_us)
        assert await maintained() == []
        assert await store.delete_points(2, DeleteQuery()) == 1
        assert await maintained() == []
        clock.now_us += DAY_US // 24
        assert await maintained() == [2]
        assert await rows(clickhouse, "metric != ''") == 2
        # What was removed is not looked at again.
        assert await maintained() == []
        assert await store.delete_points(1, DeleteQuery()) == 1
        clock.now_us += 40 * DAY_US
        assert await maintained() == [1, 3]
        clock.now_us += DAY_US // 24
        assert await maintained() == [1, 3]
        assert await rows(clickhouse, "metric != ''") == 0
        assert await maintained() == []
        assert await find_problems(clickhouse, store) == []

    async def opened() -> None:
        async with clickhouse_place.opened() as clickhouse:
            await run(clickhouse)

    asyncio.run(opened())


def test_a_store_that_cannot_note_it_drops_no_day(clickhouse_place: ClickHousePlace) -> None:
    clock = SteppedClock()

    async def run(clickhouse: ClickHouse) -> None:
        store = ClickHouseMetricStore(clickhouse, clock, retention_days=30)
        await record(store, 1, clock.now_us)
        clock.now_us += 40 * DAY_US
        for audit, left in ((None, 1), (ClickHouseAuditLog(clickhouse, clock), 0)):
            server = ClickHouseMetricStore(clickhouse, clock, audit=audit, retention_days=30)
            await server.maintenance.drop_expired()
            assert len(await server.names(ORGANIZATION, None)) == 1
            assert await server.count_points(ORGANIZATION, DeleteQuery()) == left
        with pytest.raises(RuntimeError, match="notes what it drops"):
            await store.run()

    async def opened() -> None:
        async with clickhouse_place.opened() as clickhouse:
            await run(clickhouse)

    asyncio.run(opened())
