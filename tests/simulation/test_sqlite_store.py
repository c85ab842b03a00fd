"""What SQLite does beside the contract: work that is put off, and saved percentiles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.conformance.simulation.asking import metrics_of
from tests.conformance.simulation.engines import ACME, SqliteEngine
from tests.conformance.simulation.reports import call, call_id, execution, execution_id
from tests.simulation import reference
from tests.waiting import comes_to_hold

from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES
from vumeter_server.simulation.sqlite import (
    SqliteSimulationStore,
    deletion,
    latencies,
    query,
)
from vumeter_server.simulation.sqlite import store as sqlite_store
from vumeter_server.sqlite import Database


@pytest.fixture
def engine(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path)


@pytest.fixture
def database(engine: SqliteEngine) -> Database:
    return engine.database


@pytest.fixture
async def store(engine: SqliteEngine) -> AsyncIterator[SqliteSimulationStore]:
    async with engine.opened() as opened:
        yield opened


async def test_calls_left_by_a_deletion_that_was_cut_short_are_out_of_sight(
    engine: SqliteEngine, database: Database
) -> None:
    async with engine.opened() as store:
        await store.record_execution(ACME, execution(1))
        await store.record_execution(ACME, execution(2))
        await store.record_calls(ACME, [call(number) for number in range(5)])
    # What a deletion leaves when the process ends after its first step.
    database.write(_delete_all_but_the_calls)
    async with engine.opened() as store:
        assert await store.call(ACME, call_id(1)) is None
        await store.record_calls(ACME, [call(1, of=2, avg_agent_latency_ms=640.0)])
        assert (await metrics_of(store, 2)).total_calls == 1
        await comes_to_hold(lambda: _count_calls(database) == 1)
        assert (await store.call(ACME, call_id(1))) == call(1, of=2, avg_agent_latency_ms=640.0)


def _delete_all_but_the_calls(connection: Any) -> None:
    assert deletion.delete_execution(connection, ACME, execution_id(1)) == 5


def _count_calls(database: Database) -> int:
    (count,) = database.read(
        lambda connection: connection.execute("SELECT count(*) FROM simulation_calls").fetchone()
    )
    return int(count)


def _saved(database: Database) -> tuple[Any, ...]:
    row: tuple[Any, ...] = database.read(
        lambda connection: connection.execute(
            "SELECT kept_revision = latency_revision, p95 FROM simulation_totals"
        ).fetchone()
    )
    return row


async def test_percentiles_of_many_calls_are_saved_until_a_latency_changes(
    store: SqliteSimulationStore, database: Database
) -> None:
    await store.record_execution(ACME, execution())
    reported = [float(number) for number in range(2_000)]
    await store.record_calls(
        ACME, [call(n, avg_agent_latency_ms=value) for n, value in enumerate(reported)]
    )
    first = await metrics_of(store)
    await comes_to_hold(lambda: _saved(database) == (1, 1899.1))
    assert await metrics_of(store) == first
    await store.record_calls(ACME, [call(7, avg_agent_latency_ms=7.0)])
    assert _saved(database)[0] == 1, "a report that says nothing new changes nothing"
    await store.record_calls(ACME, [call(7, avg_agent_latency_ms=5_000.0)])
    assert _saved(database)[0] == 0
    changed = await metrics_of(store)
    reported[7] = 5_000.0
    assert [value for _, value in changed.percentiles] == [
        reference.percentile(reported, wanted) for wanted in DOCUMENTED_PERCENTILES
    ]


async def test_percentiles_that_could_not_be_saved_are_saved_later(
    store: SqliteSimulationStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "RETRY_AFTER_SECONDS", 0.01, raising=False)
    await store.record_execution(ACME, execution())
    await store.record_calls(ACME, [call(n, avg_agent_latency_ms=float(n)) for n in range(2_000)])
    database.write(
        lambda connection: connection.execute(
            "CREATE TRIGGER storage_fails BEFORE UPDATE OF p95 ON simulation_totals"
            " BEGIN SELECT RAISE(ABORT, 'storage fails'); END"
        )
    )
    with capture_logs() as logs:
        first = await metrics_of(store)
        await comes_to_hold(lambda: any(log["log_level"] == "error" for log in logs))
        assert _saved(database) == (None, None)
        database.write(lambda connection: connection.execute("DROP TRIGGER storage_fails"))
        # The next occasion for an earlier version, which did not try again by itself.
        await store.delete_execution(ACME, execution_id(9))
        await comes_to_hold(lambda: _saved(database) == (1, 1899.1))
    assert await metrics_of(store) == first


async def test_a_failing_save_does_not_keep_calls_of_deleted_executions(
    store: SqliteSimulationStore, database: Database
) -> None:
    await store.record_execution(ACME, execution())
    await store.record_execution(ACME, execution(2))
    await store.record_calls(ACME, [call(n, avg_agent_latency_ms=float(n)) for n in range(2_000)])
    await store.record_calls(ACME, [call(2_000 + n, of=2) for n in range(1_500)])
    database.write(
        lambda connection: connection.execute(
            "CREATE TRIGGER storage_fails BEFORE UPDATE OF p95 ON simulation_totals"
            " BEGIN SELECT RAISE(ABORT, 'storage fails'); END"
        )
    )
    await metrics_of(store)
    assert await store.delete_execution(ACME, execution_id(2)) == 1_500
    await comes_to_hold(lambda: _count_calls(database) == 2_000)


async def test_a_process_that_does_not_write_computes_percentiles_once(
    store: SqliteSimulationStore, database: Database, monkeypatch: pytest.MonkeyPatch
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
        assert (await metrics_of(queries_alone)).percentiles[0] == (
            50.0,
            499.5 if count == 1 else 500.5,
        )
        assert (await metrics_of(queries_alone)).percentiles[2][0] == 99.0
        assert len(computed) == count
        await store.record_calls(ACME, [call(0, avg_agent_latency_ms=2_000.0)])
    writer.close()
    readers.close()


async def test_a_new_documented_percentile_needs_no_column_and_is_computed_once(
    store: SqliteSimulationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented = (50.0, 90.0, 95.0, 99.0)
    monkeypatch.setattr(query, "DOCUMENTED_PERCENTILES", documented)
    loads: list[int] = []
    loaded = latencies.load

    def load(connection: Any, execution_key: int) -> Any:
        loads.append(execution_key)
        return loaded(connection, execution_key)

    monkeypatch.setattr(latencies, "load", load)
    await store.record_execution(ACME, execution())
    reported = [float(number) for number in range(1_000)]
    await store.record_calls(
        ACME, [call(n, avg_agent_latency_ms=value) for n, value in enumerate(reported)]
    )
    expected = tuple((each, reference.percentile(reported, each)) for each in documented)
    for _ in range(2):
        assert (await metrics_of(store, percentiles=documented)).percentiles == expected
    assert len(loads) == 1


async def test_an_execution_is_answered_after_a_change_without_a_look_at_its_calls(
    store: SqliteSimulationStore, database: Database
) -> None:
    await store.record_execution(ACME, execution())
    for first in (0, 10_000):
        await store.record_calls(
            ACME,
            [call(n, avg_agent_latency_ms=float(n)) for n in range(first, first + 10_000)],
        )
    for change in (0.0, 7.0, 9.0):
        await store.record_calls(ACME, [call(0, avg_agent_latency_ms=change)])
        # What is not there cannot be read.
        _rename(database, "simulation_calls", "calls_out_of_sight")
        found = await metrics_of(store)
        _rename(database, "calls_out_of_sight", "simulation_calls")
        assert found.percentiles == ((50.0, 9_999.5), (95.0, 18_999.1), (99.0, 19_799.0))


def _rename(database: Database, old: str, new: str) -> None:
    database.write(lambda connection: connection.execute(f"ALTER TABLE {old} RENAME TO {new}"))
