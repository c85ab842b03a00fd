"""Lists of executions and run tests, and their pages."""

from __future__ import annotations

from tests.conformance.simulation.asking import page
from tests.conformance.simulation.engines import ACME
from tests.conformance.simulation.reports import RUN_TEST, execution, execution_id

from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES
from vumeter_server.simulation.store import SimulationStore


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


async def test_a_page_goes_on_where_a_deleted_execution_stood(store: SimulationStore) -> None:
    for number in range(1, 5):
        await store.record_execution(ACME, execution(number, started_at=number))
    first = await page(store, 2)
    await store.delete_execution(ACME, execution_id(3))
    rest = await page(store, 2, after=first.ends_at)
    assert [each.report.execution_id for each in rest.executions] == [
        execution_id(2),
        execution_id(1),
    ]
    assert (rest.count, rest.ends_at) == (3, None)


async def test_a_page_past_the_last_is_empty(store: SimulationStore) -> None:
    await store.record_execution(ACME, execution(1))
    found = await page(store, 10, offset=2**62)
    assert (found.count, found.executions, found.ends_at) == (1, [], None)


async def test_an_execution_recorded_again_keeps_its_place_and_a_deleted_one_gets_a_new_place(
    store: SimulationStore,
) -> None:
    for number in (1, 2, 1):
        await store.record_execution(ACME, execution(number))
    found = await page(store)
    assert [each.report.execution_id for each in found.executions] == [
        execution_id(2),
        execution_id(1),
    ]
    await store.delete_execution(ACME, execution_id(1))
    await store.record_execution(ACME, execution(1))
    found = await page(store)
    assert [each.report.execution_id for each in found.executions] == [
        execution_id(1),
        execution_id(2),
    ]
