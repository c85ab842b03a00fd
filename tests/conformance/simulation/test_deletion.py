"""What deletion of executions, run tests and organizations promises."""

from __future__ import annotations

import pytest
from tests.conformance.simulation.asking import metrics_of, page
from tests.conformance.simulation.engines import ACME, RIVAL
from tests.conformance.simulation.reports import (
    RUN_TEST,
    call,
    call_id,
    execution,
    execution_id,
)

from vumeter_server.errors import NotFound
from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES
from vumeter_server.simulation.store import SimulationContents, SimulationStore


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
    assert (await metrics_of(store)).total_calls == 0
    assert (await metrics_of(store, 2)).total_calls == 2


async def test_a_deleted_run_test_is_gone_with_executions_and_calls(
    store: SimulationStore,
) -> None:
    await store.record_execution(ACME, execution(1))
    await store.record_execution(ACME, execution(2))
    await store.record_execution(ACME, execution(3, run_test_name="Kept"))
    await store.record_run_test(RIVAL, RUN_TEST)
    await store.record_calls(ACME, [call(1), call(2), call(3, of=2), call(4, of=3)])
    expected = SimulationContents(run_tests=1, executions=2, calls=3)
    assert await store.contents(ACME, [RUN_TEST, "Unknown"]) == expected
    assert await store.delete_run_tests(ACME, [RUN_TEST, "Unknown"]) == expected
    assert await store.delete_run_tests(ACME, [RUN_TEST]) == SimulationContents(
        run_tests=0, executions=0, calls=0
    )
    assert [each.run_test_name for each in await store.run_tests(ACME, after="", limit=9)] == [
        "Kept"
    ]
    assert [each.run_test_name for each in await store.run_tests(RIVAL, after="", limit=9)] == [
        RUN_TEST
    ]
    assert await store.execution(ACME, execution_id(1), DOCUMENTED_PERCENTILES) is None
    assert await store.call(ACME, call_id(3)) is None
    assert await store.call(ACME, call_id(4)) == call(4, of=3)
    with pytest.raises(NotFound):
        await store.record_calls(ACME, [call(1)])
    # Name and ids are free again.
    await store.record_execution(ACME, execution(1))
    await store.record_calls(ACME, [call(3)])
    assert (await page(store)).count == 1
    assert (await metrics_of(store)).total_calls == 1
    assert await store.delete_run_tests(ACME, None) == SimulationContents(
        run_tests=2, executions=2, calls=2
    )
    assert await store.run_tests(ACME, after="", limit=9) == []


async def test_nothing_is_left_of_an_organization_that_is_forgotten(
    store: SimulationStore,
) -> None:
    for organization_id in (ACME, RIVAL):
        await store.record_run_test(organization_id, "Empty")
        await store.record_execution(organization_id, execution(1))
        await store.record_calls(organization_id, [call(1), call(2)])
    for _ in range(2):
        await store.forget_organization(ACME)
        assert await store.run_tests(ACME, after="", limit=9) == []
        assert await store.call(ACME, call_id(1)) is None
        assert await store.contents(ACME, None) == SimulationContents(
            run_tests=0, executions=0, calls=0
        )
    assert await store.contents(RIVAL, None) == SimulationContents(
        run_tests=2, executions=1, calls=2
    )
