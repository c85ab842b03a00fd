"""What is recorded replaces, adds up, belongs to one organization, and is stored whole."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.simulation.asking import metrics_of
from tests.conformance.simulation.engines import ACME, ENGINES, RIVAL, Engine
from tests.conformance.simulation.reports import (
    RUN_TEST,
    call,
    call_id,
    execution,
    execution_id,
)
from tests.effort import tries
from tests.simulation import reference

from vumeter_server.errors import Conflict, NotFound
from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES, MEANS, ExecutionMetrics
from vumeter_server.simulation.model import CALL_STATUSES, NUMBER_NAMES, CallReport
from vumeter_server.simulation.store import SimulationStore

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


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=tries(20, 500), deadline=None)
@given(batches)
def test_metrics_are_those_of_the_last_report_of_each_call(
    name: str, recorded: list[list[CallReport]]
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
                    await metrics_of(store, number, (0.0, 12.5, *DOCUMENTED_PERCENTILES)),
                    [each for each in last.values() if each.execution_id == execution_id(number)],
                )
        for report in last.values():
            assert await store.call(ACME, report.call_execution_id) == report

    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with ENGINES[name](Path(directory)).opened() as store:
                await test(store)

    asyncio.run(run())


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
    found = await metrics_of(store)
    assert (found.total_calls, found.percentiles) == (0, ())


async def test_recording_an_execution_again_replaces_the_whole_record_and_keeps_its_calls(
    store: SimulationStore,
) -> None:
    await store.record_execution(ACME, execution(started_at=1_000, total_calls=30))
    await store.record_calls(ACME, [call(1, avg_agent_latency_ms=640.0)])
    await store.record_execution(ACME, execution(status="running", completed_at=2_000))
    found = await metrics_of(store)
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
    assert (await metrics_of(store, 2)).total_calls == 0
    with pytest.raises(Conflict):
        await store.record_calls(ACME, [call(3, of=1), call(3, of=2)])
    assert (await metrics_of(store, 1)).total_calls == 1


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
    assert (await metrics_of(store)).failed_calls == 0


async def test_an_empty_batch_changes_nothing(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution())
    await store.record_calls(ACME, [])
    assert (await metrics_of(store)).total_calls == 0


async def test_an_unknown_execution_is_reported_before_a_conflict(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution(1))
    await store.record_execution(ACME, execution(2))
    await store.record_calls(ACME, [call(1, of=1)])
    with pytest.raises(NotFound) as refused:
        await store.record_calls(ACME, [call(1, of=2), call(2, of=8), call(3, of=9)])
    assert [each.field for each in refused.value.violations] == [
        "calls[1].execution_id",
        "calls[2].execution_id",
    ]


async def test_a_run_test_is_not_created_by_an_execution_that_is_rejected(
    store: SimulationStore,
) -> None:
    await store.record_execution(ACME, execution(1))
    with pytest.raises(Conflict, match=r"^Test execution belongs to another run test\.$"):
        await store.record_execution(ACME, execution(1, run_test_name="Another Test"))
    assert (
        await store.executions(ACME, "Another Test", percentiles=DOCUMENTED_PERCENTILES, limit=1)
        is None
    )


async def test_everything_is_there_when_the_store_is_opened_again(engine: Engine) -> None:
    async with engine.opened() as store:
        await store.record_run_test(ACME, "Without executions")
        await store.record_execution(ACME, execution(1, started_at=7, total_calls=30))
        await store.record_execution(ACME, execution(2))
        await store.record_calls(
            ACME, [call(n, avg_agent_latency_ms=float(n)) for n in range(1_000)]
        )
        assert await store.delete_execution(ACME, execution_id(2)) == 0
        before = await metrics_of(store)
    async with engine.opened() as store:
        assert await metrics_of(store) == before
        assert await store.call(ACME, call_id(999)) == call(999, avg_agent_latency_ms=999.0)
        assert await store.execution(ACME, execution_id(2), DOCUMENTED_PERCENTILES) is None
        assert [each.run_test_name for each in await store.run_tests(ACME, after="", limit=9)] == [
            RUN_TEST,
            "Without executions",
        ]


async def test_writers_and_readers_at_once_lose_nothing(store: SimulationStore) -> None:
    for number in range(4):
        await store.record_execution(ACME, execution(number))

    async def write(of: int, first: int) -> None:
        for number in range(first, first + 25):
            await store.record_calls(ACME, [call(number, of, avg_agent_latency_ms=float(number))])

    async def read() -> None:
        for number in range(20):
            found = await metrics_of(store, number % 4)
            assert found.totals.samples_of("avg_agent_latency_ms") == sum(found.totals.calls)

    await asyncio.gather(
        *(write(of, 1_000 * of + 100 * part) for of in range(4) for part in range(4)),
        *(read() for _ in range(8)),
    )
    for number in range(4):
        found = await metrics_of(store, number)
        reported = [float(1_000 * number + 100 * p + n) for p in range(4) for n in range(25)]
        assert found.total_calls == 100
        assert found.percentiles[1][1] == reference.percentile(reported, 95)
