"""Any sequence of calls gives the same results as the store in memory: every value of each."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.simulation.engines import ACME, ENGINES, RIVAL
from tests.conformance.simulation.memory_store import MemorySimulationStore
from tests.conformance.simulation.reports import (
    call_id,
    call_reports,
    execution_id,
    execution_reports,
)
from tests.effort import tries

from vumeter_server.errors import VumeterError
from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES
from vumeter_server.simulation.store import SimulationStore

SUBJECTS = [name for name in ENGINES if name != "memory"]
RUN_TESTS = ("a", "b", "ä", "never recorded")
PERCENTILES = (DOCUMENTED_PERCENTILES, (0.0, 12.5, 99.9, 100.0))

Step = Callable[[SimulationStore], Awaitable[object]]

organizations = st.sampled_from([ACME, ACME, RIVAL])


def _recorded_run_test(organization: int, name: str) -> Step:
    return lambda store: store.record_run_test(organization, name)


def _recorded_execution(organization: int, report: Any) -> Step:
    return lambda store: store.record_execution(organization, report)


def _recorded_calls(organization: int, reports: Any) -> Step:
    return lambda store: store.record_calls(organization, reports)


def _deleted_execution(organization: int, number: int) -> Step:
    return lambda store: store.delete_execution(organization, execution_id(number))


def _counted(organization: int, names: list[str] | None) -> Step:
    return lambda store: store.contents(organization, names)


def _deleted_run_tests(organization: int, names: list[str] | None) -> Step:
    return lambda store: store.delete_run_tests(organization, names)


run_tests = st.none() | st.lists(st.sampled_from(RUN_TESTS), max_size=3)
executions = st.builds(_recorded_execution, organizations, execution_reports)
calls = st.builds(_recorded_calls, organizations, st.lists(call_reports, max_size=6))
steps = st.lists(
    st.one_of(
        st.builds(_recorded_run_test, organizations, st.sampled_from(RUN_TESTS[:3])),
        executions,
        executions,
        calls,
        calls,
        calls,
        st.builds(_deleted_execution, organizations, st.integers(0, 3)),
        st.builds(_counted, organizations, run_tests),
        st.builds(_deleted_run_tests, organizations, run_tests),
    ),
    max_size=20,
)


@pytest.mark.parametrize("name", SUBJECTS)
@settings(max_examples=tries(15, 500), deadline=None)
@given(steps)
def test_any_sequence_gives_the_results_of_the_store_in_memory(
    name: str, taken: list[Step]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            engine, expected = ENGINES[name](Path(directory)), MemorySimulationStore()
            async with engine.opened() as store:
                for step in taken:
                    assert await _outcome(step(store)) == await _outcome(step(expected))
                assert await _everything(store) == await _everything(expected)
            async with engine.opened() as store:
                assert await _everything(store) == await _everything(expected)

    asyncio.run(run())


async def _outcome(call: Awaitable[object]) -> object:
    """What a call returns, or all that a caller is told of its error."""
    try:
        return await call
    except VumeterError as error:
        return type(error), error.message, error.violations


async def _everything(store: SimulationStore) -> list[object]:
    """All that can be asked of what was recorded."""
    answers: list[object] = []
    for organization in (ACME, RIVAL):
        for after, limit in (("", 10), ("", 1), ("a", 2), ("ä", 1)):
            answers.append(await store.run_tests(organization, after=after, limit=limit))
        for number in range(8):
            answers.append(await store.call(organization, call_id(number)))
        for percentiles in PERCENTILES:
            for number in range(4):
                answers.append(
                    await store.execution(organization, execution_id(number), percentiles)
                )
            for run_test in RUN_TESTS:
                for limit, offset in ((1, 0), (2, 1), (10, 0)):
                    answers.append(
                        await _pages(store, organization, run_test, percentiles, limit, offset)
                    )
    return answers


async def _pages(
    store: SimulationStore,
    organization: int,
    run_test: str,
    percentiles: Sequence[float],
    limit: int,
    offset: int,
) -> object:
    """Every page of a run test, each after the one before.

    The `sequence` of a position is a store's own, so positions are compared without it.
    """
    pages: list[object] = []
    position = None
    while True:
        page = await store.executions(
            organization,
            run_test,
            percentiles=percentiles,
            limit=limit,
            offset=offset,
            after=position,
        )
        if page is None:
            return None
        position = page.ends_at
        ends_at_start = position.started_at if position else "the end"
        pages.append((replace(page, ends_at=None), ends_at_start))
        if position is None:
            return pages
