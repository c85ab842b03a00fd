"""What the contract promises when storage fails, and when a caller goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from tests.conformance.failing import FAILURES
from tests.conformance.simulation.asking import metrics_of, page
from tests.conformance.simulation.engines import ACME, Engine
from tests.conformance.simulation.reports import RUN_TEST, call, call_id, execution, execution_id

from vumeter_server.errors import Unavailable
from vumeter_server.simulation.store import SimulationStore

# More than fits into the pages that a file has.
LARGE = [
    replace(
        call(number, avg_agent_latency_ms=600 + number),
        customer_cost_breakdown='{"llm":"' + "c" * 200 + '"}',
    )
    for number in range(100, 3_100)
]


async def everything(store: SimulationStore) -> object:
    """All that can be seen of the organization."""
    return (
        await store.run_tests(ACME, after="", limit=10_000),
        await metrics_of(store),
        (await page(store)).executions,
        [await store.call(ACME, call_id(number)) for number in (1, 100, 3_099)],
        await store.execution(ACME, execution_id(7), [50]),
    )


@pytest.mark.parametrize("failure", FAILURES)
async def test_what_storage_cannot_take_is_unavailable_and_changes_nothing(
    engine: Engine, failure: str
) -> None:
    async with engine.opened() as store:
        await store.record_execution(ACME, execution())
        await store.record_calls(ACME, [call(1, avg_agent_latency_ms=640)])
        before = await everything(store)
        async with engine.failures[failure]():
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await store.record_calls(ACME, LARGE)
                # Queries go on.
                assert await everything(store) == before
            if failure == "locked":
                for small in (
                    store.record_run_test(ACME, "Another"),
                    store.record_execution(ACME, execution(7, run_test_name="Another")),
                    store.record_execution(ACME, execution(status="failed")),
                    store.delete_execution(ACME, execution_id(1)),
                    store.delete_run_tests(ACME, None),
                ):
                    with pytest.raises(Unavailable):
                        await small
        assert await everything(store) == before
        await store.record_calls(ACME, LARGE)
        metrics = await metrics_of(store)
        assert sum(metrics.totals.calls) == len(LARGE) + 1
        after = await everything(store)
    async with engine.opened() as store:
        assert await everything(store) == after


async def left(asked: Coroutine[Any, Any, object], turns: int) -> None:
    """Start a call and go away after so many turns of the event loop."""
    task = asyncio.ensure_future(asked)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_batch_whose_caller_has_gone_is_there_whole_or_not_and_can_be_repeated(
    store: SimulationStore,
) -> None:
    await store.record_execution(ACME, execution())
    for turns in range(30):
        batch = [call(2 * turns + number, avg_agent_latency_ms=640) for number in range(2)]
        await left(store.record_calls(ACME, batch), turns)
        # It may still be stored, now or a moment later: whole.
        assert sum((await metrics_of(store)).totals.calls) in (2 * turns, 2 * turns + 2)
        await store.record_calls(ACME, batch)
        metrics = await metrics_of(store)
        assert sum(metrics.totals.calls) == 2 * turns + 2
        assert metrics.percentiles == ((50.0, 640.0), (95.0, 640.0), (99.0, 640.0))


async def test_an_execution_whose_deletion_was_left_is_there_whole_or_not(
    store: SimulationStore,
) -> None:
    for turns in range(20):
        await store.record_execution(ACME, execution(turns))
        await store.record_calls(ACME, [call(turns, of=turns, avg_agent_latency_ms=640)])
        await left(store.delete_execution(ACME, execution_id(turns)), turns)
        assert await store.delete_execution(ACME, execution_id(turns)) in (1, None)
        assert await store.execution(ACME, execution_id(turns), [50]) is None
        assert await store.call(ACME, call_id(turns)) is None
    assert (await page(store)).count == 0


@pytest.mark.parametrize("turns", [0, 1, 30])
async def test_queries_whose_callers_have_gone_leave_all_others_their_answers(
    store: SimulationStore, turns: int
) -> None:
    await store.record_execution(ACME, execution())
    await store.record_calls(ACME, LARGE)
    before = await everything(store)
    # More than there are threads; percentiles that nothing keeps.
    await asyncio.gather(
        *(
            left(asked, turns)
            for number in range(6)
            for asked in (
                store.execution(ACME, execution_id(1), [12.5 + number]),
                store.executions(ACME, RUN_TEST, percentiles=[37.5 + number], limit=10),
                store.run_tests(ACME, after="", limit=10),
            )
        )
    )
    assert await everything(store) == before
