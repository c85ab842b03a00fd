from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation import reference

from vumeter_server.errors import Conflict, NotFound
from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES, MEANS, ExecutionMetrics
from vumeter_server.simulation.model import (
    CALL_STATUSES,
    NUMBER_NAMES,
    CallReport,
    ExecutionReport,
)
from vumeter_server.simulation.sqlite import SqliteSimulationStore, ingest, latencies
from vumeter_server.simulation.store import ExecutionsPage, SimulationStore
from vumeter_server.sqlite import Database, open_database

ACME, RIVAL = 1, 2
RUN_TEST = "My Agent Test"


def execution_id(number: int) -> str:
    return f"5819e158-0000-4000-8000-{number:012x}"


def call_id(number: int) -> str:
    return f"5af9e484-0000-4000-8000-{number:012x}"


def execution(number: int = 1, **fields: Any) -> ExecutionReport:
    fields.setdefault("run_test_name", RUN_TEST)
    return ExecutionReport(execution_id=execution_id(number), **fields)


def call(number: int, of: int = 1, status: str = "completed", **numbers: float) -> CallReport:
    return CallReport(
        call_execution_id=call_id(number),
        execution_id=execution_id(of),
        status=status,
        numbers=tuple(numbers.get(name) for name in NUMBER_NAMES),
    )


def new_database(directory: Path) -> Database:
    database = open_database(directory / "vumeter.db")
    database.write(
        lambda connection: connection.executemany(
            "INSERT INTO organizations VALUES (?, ?, 0)", [(ACME, "acme"), (RIVAL, "rival")]
        )
    )
    return database


@contextlib.asynccontextmanager
async def opened(database: Database) -> AsyncIterator[SqliteSimulationStore]:
    writer, readers = database.writer(), database.readers()
    store = SqliteSimulationStore(readers, writer)
    maintenance = asyncio.create_task(store.run_maintenance())
    try:
        yield store
    finally:
        maintenance.cancel()
        await asyncio.gather(maintenance, return_exceptions=True)
        writer.close()
        readers.close()


def with_store(test: Callable[[SimulationStore], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with opened(new_database(Path(directory))) as store:
                await test(store)

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come about in 10 seconds")


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    return new_database(tmp_path)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[SimulationStore]:
    async with opened(database) as opened_store:
        yield opened_store


async def figures(
    store: SimulationStore, number: int = 1, percentiles: Sequence[float] = DOCUMENTED_PERCENTILES
) -> ExecutionMetrics:
    found = await store.execution(ACME, execution_id(number), percentiles)
    assert found is not None
    return found


async def page(store: SimulationStore, limit: int = 10, **where: Any) -> ExecutionsPage:
    found = await store.executions(
        ACME, RUN_TEST, percentiles=DOCUMENTED_PERCENTILES, limit=limit, **where
    )
    assert found is not None
    return found


values = st.none() | st.sampled_from([0.0, 0.217, 640.0, 640.5, 1234.0, 1e15, 1.7e308])
recorded_calls = st.builds(
    lambda number, of, status, latency, ratio, seconds: call(
        number,
        of,
        status,
        **{
            name: value
            for name, value in (
                ("avg_agent_latency_ms", latency),
                ("talk_ratio", ratio),
                ("duration_seconds", seconds),
            )
            if value is not None
        },
    ),
    st.integers(0, 11),
    st.just(1),
    st.sampled_from(CALL_STATUSES),
    values,
    values,
    values,
).map(
    lambda report: replace(
        report, execution_id=execution_id(int(report.call_execution_id[-1], 16) % 3)
    )
)
batches = st.lists(st.lists(recorded_calls, min_size=1, max_size=8), max_size=8)


@settings(max_examples=40, deadline=None)
@given(batches)
def test_figures_are_those_of_the_last_report_of_each_call(
    recorded: list[list[CallReport]],
) -> None:
    async def test(store: SimulationStore) -> None:
        last: dict[str, CallReport] = {}
        for number in range(3):
            await store.record_execution(ACME, execution(number))
        for batch in recorded:
            await store.record_calls(ACME, batch)
            last |= {report.call_execution_id: report for report in batch}
            for number in range(3):
                check(
                    await figures(store, number, (0.0, 12.5, *DOCUMENTED_PERCENTILES)),
                    [each for each in last.values() if each.execution_id == execution_id(number)],
                )
        for report in last.values():
            assert await store.call(ACME, report.call_execution_id) == report

    with_store(test)


def check(found: ExecutionMetrics, calls: Sequence[CallReport]) -> None:
    def reported(name: str) -> list[float]:
        numbers = [each.numbers[NUMBER_NAMES.index(name)] for each in calls]
        return [number for number in numbers if number is not None]

    for metric in MEANS:
        expected = reference.mean(reported(metric.source), metric.decimals)
        assert found.value(metric.group, metric.name) == expected
    values = reported("avg_agent_latency_ms")
    assert found.percentiles == tuple(
        (wanted, reference.percentile(values, wanted))
        for wanted in (0.0, 12.5, *DOCUMENTED_PERCENTILES)
        if values
    )
    for status in CALL_STATUSES:
        assert found.totals.calls_with(status) == sum(each.status == status for each in calls)


async def test_an_execution_without_calls_counts_none(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution())
    found = await figures(store)
    assert (found.total_calls, found.percentiles) == (0, ())


async def test_recording_an_execution_again_replaces_the_whole_record_and_keeps_its_calls(
    store: SimulationStore,
) -> None:
    await store.record_execution(ACME, execution(started_at=1_000, total_calls=30))
    await store.record_calls(ACME, [call(1, avg_agent_latency_ms=640.0)])
    await store.record_execution(ACME, execution(status="running", completed_at=2_000))
    found = await figures(store)
    assert found.report == execution(status="running", completed_at=2_000)
    assert found.total_calls == 1


async def test_an_execution_never_moves_to_another_run_test(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution())
    with pytest.raises(Conflict):
        await store.record_execution(ACME, execution(run_test_name="Another Test"))
    assert [each.run_test_name for each in await store.run_tests(ACME, after="", limit=10)] == [
        RUN_TEST
    ]


async def test_a_call_never_moves_to_another_execution(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution(1))
    await store.record_execution(ACME, execution(2))
    await store.record_calls(ACME, [call(1, of=1)])
    with pytest.raises(Conflict) as refused:
        await store.record_calls(ACME, [call(2, of=2), call(1, of=2)])
    assert refused.value.violations[0].field == "calls[1].execution_id"
    assert (await figures(store, 2)).total_calls == 0
    with pytest.raises(Conflict):
        await store.record_calls(ACME, [call(3, of=1), call(3, of=2)])
    assert (await figures(store, 1)).total_calls == 1


async def test_a_batch_with_a_call_of_an_unknown_execution_stores_nothing(
    store: SimulationStore,
) -> None:
    await store.record_execution(ACME, execution(1))
    with pytest.raises(NotFound, match=r"^Test execution not found\.$") as refused:
        await store.record_calls(ACME, [call(1), call(2, of=7)])
    assert [each.field for each in refused.value.violations] == ["calls[1].execution_id"]
    assert await store.call(ACME, call_id(1)) is None


async def test_another_organization_sees_and_changes_nothing(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution(1))
    await store.record_calls(ACME, [call(1)])
    assert await store.execution(RIVAL, execution_id(1), DOCUMENTED_PERCENTILES) is None
    assert await store.call(RIVAL, call_id(1)) is None
    assert (
        await store.executions(RIVAL, RUN_TEST, percentiles=DOCUMENTED_PERCENTILES, limit=10)
        is None
    )
    assert await store.run_tests(RIVAL, after="", limit=10) == []
    assert await store.delete_execution(RIVAL, execution_id(1)) is None
    with pytest.raises(NotFound):
        await store.record_calls(RIVAL, [call(1)])
    await store.record_execution(RIVAL, execution(1, run_test_name="Same Ids"))
    await store.record_calls(RIVAL, [call(1, status="failed"), call(2, status="failed")])
    assert (await figures(store)).failed_calls == 0


async def test_executions_come_newest_first_and_those_without_a_start_last(
    store: SimulationStore,
) -> None:
    for number, started_at in ((1, 2_000), (2, None), (3, 5_000), (4, 2_000), (5, -7), (6, None)):
        await store.record_execution(ACME, execution(number, started_at=started_at))
    await store.record_execution(ACME, execution(1, started_at=2_000, status="completed"))
    expected = [execution_id(number) for number in (3, 4, 1, 5, 6, 2)]
    found = await page(store)
    assert [each.report.execution_id for each in found.executions] == expected
    assert (found.count, found.ends_at) == (6, None)
    numbered = [
        each.report.execution_id
        for offset in range(0, 6, 2)
        for each in (await page(store, 2, offset=offset)).executions
    ]
    assert numbered == expected
    followed, position = [], None
    for _ in range(6):
        found = await page(store, 1, after=position)
        followed += [each.report.execution_id for each in found.executions]
        position = found.ends_at
    assert (followed, position) == (expected, None)


async def test_a_run_test_without_executions_is_an_empty_page(store: SimulationStore) -> None:
    await store.record_run_test(ACME, RUN_TEST)
    await store.record_run_test(ACME, RUN_TEST)
    found = await page(store)
    assert (found.count, found.executions) == (0, [])
    assert (
        await store.executions(ACME, "Unknown", percentiles=DOCUMENTED_PERCENTILES, limit=10)
        is None
    )


async def test_run_tests_are_listed_by_name_with_their_last_start(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution(1, run_test_name="b", started_at=7))
    await store.record_execution(ACME, execution(2, run_test_name="b"))
    await store.record_execution(ACME, execution(3, run_test_name="ä"))
    await store.record_run_test(ACME, "a")
    listed = await store.run_tests(ACME, after="", limit=10)
    assert [
        (each.run_test_name, each.execution_count, each.last_started_at) for each in listed
    ] == [
        ("a", 0, None),
        ("b", 2, 7),
        ("ä", 1, None),
    ]
    assert [each.run_test_name for each in await store.run_tests(ACME, after="a", limit=1)] == ["b"]


async def test_ids_of_a_deleted_execution_can_be_used_again(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution(1))
    await store.record_execution(ACME, execution(2))
    await store.record_calls(ACME, [call(1, avg_agent_latency_ms=640.0), call(2), call(3, of=2)])
    assert await store.delete_execution(ACME, execution_id(1)) == 2
    assert await store.delete_execution(ACME, execution_id(1)) is None
    assert await store.call(ACME, call_id(1)) is None
    assert (await page(store)).count == 1
    await store.record_calls(ACME, [call(1, of=2)])
    await store.record_execution(ACME, execution(1, run_test_name="Another Test"))
    assert (await figures(store)).total_calls == 0
    assert (await figures(store, 2)).total_calls == 2


async def test_calls_left_by_a_deletion_that_was_cut_short_are_out_of_sight(
    database: Database,
) -> None:
    async with opened(database) as store:
        await store.record_execution(ACME, execution(1))
        await store.record_execution(ACME, execution(2))
        await store.record_calls(ACME, [call(number) for number in range(5)])
    # What a deletion leaves when the process ends after its first step.
    database.write(_delete_all_but_the_calls)
    async with opened(database) as store:
        assert await store.call(ACME, call_id(1)) is None
        await store.record_calls(ACME, [call(1, of=2, avg_agent_latency_ms=640.0)])
        assert (await figures(store, 2)).total_calls == 1
        await until(lambda: _count_calls(database) == 1)
        assert (await store.call(ACME, call_id(1))) == call(1, of=2, avg_agent_latency_ms=640.0)


def _delete_all_but_the_calls(connection: Any) -> None:
    assert ingest.delete_execution(connection, ACME, execution_id(1)) == 5


def _count_calls(database: Database) -> int:
    (count,) = database.read(
        lambda connection: connection.execute("SELECT count(*) FROM simulation_calls").fetchone()
    )
    return int(count)


def _kept(database: Database) -> tuple[Any, ...]:
    row: tuple[Any, ...] = database.read(
        lambda connection: connection.execute(
            "SELECT kept_revision = latency_revision, p95 FROM simulation_totals"
        ).fetchone()
    )
    return row


async def test_percentiles_of_many_calls_are_kept_until_a_latency_changes(
    store: SimulationStore, database: Database
) -> None:
    await store.record_execution(ACME, execution())
    reported = [float(number) for number in range(2_000)]
    await store.record_calls(
        ACME, [call(n, avg_agent_latency_ms=value) for n, value in enumerate(reported)]
    )
    first = await figures(store)
    await until(lambda: _kept(database) == (1, 1899.1))
    assert await figures(store) == first
    await store.record_calls(ACME, [call(7, avg_agent_latency_ms=7.0)])
    assert _kept(database)[0] == 1, "a report that says nothing new changes nothing"
    await store.record_calls(ACME, [call(7, avg_agent_latency_ms=5_000.0)])
    assert _kept(database)[0] == 0
    changed = await figures(store)
    reported[7] = 5_000.0
    assert [value for _, value in changed.percentiles] == [
        reference.percentile(reported, wanted) for wanted in DOCUMENTED_PERCENTILES
    ]


async def test_a_process_that_does_not_write_computes_percentiles_once(
    store: SimulationStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []

    def load(connection: Any, execution_key: int) -> Any:
        computed.append(execution_key)
        return loaded(connection, execution_key)

    loaded = latencies.load
    monkeypatch.setattr(latencies, "load", load)
    await store.record_execution(ACME, execution())
    await store.record_calls(ACME, [call(n, avg_agent_latency_ms=float(n)) for n in range(1_000)])
    writer, readers = database.writer(), database.readers()
    queries_alone = SqliteSimulationStore(readers, writer)
    for count in (1, 2):
        assert (await figures(queries_alone)).percentiles[0] == (
            50.0,
            499.5 if count == 1 else 500.5,
        )
        assert (await figures(queries_alone)).percentiles[2][0] == 99.0
        assert len(computed) == count
        await store.record_calls(ACME, [call(0, avg_agent_latency_ms=2_000.0)])
    writer.close()
    readers.close()


async def test_an_execution_of_100000_calls_answers_within_200_ms_after_a_change(
    store: SimulationStore,
) -> None:
    await store.record_execution(ACME, execution())
    for first in range(0, 100_000, 10_000):
        await store.record_calls(
            ACME,
            [call(n, avg_agent_latency_ms=float(n)) for n in range(first, first + 10_000)],
        )
    for change in (0.0, 7.0, 9.0):
        await store.record_calls(ACME, [call(0, avg_agent_latency_ms=change)])
        asked = time.perf_counter()
        found = await figures(store)
        assert time.perf_counter() - asked < 0.2
        assert found.percentiles == ((50.0, 49_999.5), (95.0, 94_999.1), (99.0, 98_999.0))


async def test_writers_and_readers_at_once_lose_nothing(store: SimulationStore) -> None:
    for number in range(4):
        await store.record_execution(ACME, execution(number))

    async def write(of: int, first: int) -> None:
        for number in range(first, first + 25):
            await store.record_calls(ACME, [call(number, of, avg_agent_latency_ms=float(number))])

    async def read() -> None:
        for number in range(20):
            found = await figures(store, number % 4)
            assert found.totals.samples_of("avg_agent_latency_ms") == sum(found.totals.calls)

    await asyncio.gather(
        *(write(of, 1_000 * of + 100 * part) for of in range(4) for part in range(4)),
        *(read() for _ in range(8)),
    )
    for number in range(4):
        found = await figures(store, number)
        reported = [float(1_000 * number + 100 * p + n) for p in range(4) for n in range(25)]
        assert found.total_calls == 100
        assert found.percentiles[1][1] == reference.percentile(reported, 95)
