"""Random events in any order, with restarts and maintenance: every answer is the oracle's."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.live_metrics.factories import FACTORIES
from tests.conformance.live_metrics.random_events import (
    COUNTED_FROM,
    RANGES,
    TENANTS,
    answers,
    check,
    received,
)
from tests.effort import LONG, tries_on
from tests.live_metrics.stores import HOUR, MINUTE, NINE

from vumeter_server.errors import Conflict
from vumeter_server.live_metrics.model import (
    Event,
)
from vumeter_server.live_metrics.store import LiveStore

# An example asks a cluster some hundred times, and has a database of its own.
pytestmark = pytest.mark.timeout(600)
SHORT = [name for name in FACTORIES if LONG or name != "clickhouse cluster"]
OTHERS = [name for name in SHORT if name != "memory"]


@pytest.mark.hypothesis
@pytest.mark.parametrize("tested", OTHERS)
def test_whatever_the_order_and_the_batches_every_answer_is_that_of_brute_force(
    tested: str,
) -> None:
    @check(max_examples=tries_on(tested, 30, 2_000))
    @given(received(), st.lists(RANGES, min_size=2, max_size=3), st.data())
    def holds(
        batches: list[list[Event]], ranges: list[tuple[int, int, int]], data: st.DataObject
    ) -> None:
        computed_after = data.draw(st.integers(0, len(batches)))
        counted_from_us = data.draw(COUNTED_FROM)

        async def run(directory: Path) -> None:
            storage, memory = FACTORIES[tested](directory), FACTORIES["memory"](directory)
            storage.clock.now_us = memory.clock.now_us = NINE + 3 * HOUR
            async with (
                storage.store(counted_from_us=counted_from_us) as one,
                memory.store(counted_from_us=counted_from_us) as other,
            ):
                for index, batch in enumerate(batches):
                    if index == computed_after:
                        await one[0].compute_peaks()
                    await one[0].record(batch)
                    await other[0].record(batch)
                expected = await answers(*other, ranges)
                assert await answers(*one, ranges) == expected
                await one[0].compute_peaks()
                assert await answers(*one, ranges) == expected

        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(run(Path(directory)))

    holds()


STEPS = st.sampled_from(
    [
        *("on", "on", "restart", "epoch", "close", "drop", "drop all", "conflict", "limit"),
        *("peaks", "delete", "delete"),
    ]
)


@pytest.mark.hypothesis
@pytest.mark.parametrize("tested", OTHERS)
def test_over_epochs_closings_retention_and_restarts_every_answer_is_that_of_brute_force(
    tested: str,
) -> None:
    @check(max_examples=tries_on(tested, 25, 2_000))
    @given(received(), st.lists(RANGES, min_size=1, max_size=2), st.data())
    def holds(
        batches: list[list[Event]], ranges: list[tuple[int, int, int]], data: st.DataObject
    ) -> None:
        steps = [data.draw(STEPS) for _ in batches]
        starts = [data.draw(COUNTED_FROM) for _ in batches]

        async def take(step: str, store: LiveStore, now_us: int, batch: list[Event]) -> object:
            if step == "close":
                return await store.close_stuck(now_us - HOUR)
            if step in {"drop", "drop all"}:
                await store.drop_received_before(now_us + 1 - (HOUR if step == "drop" else 0))
            if step == "limit":
                return await store.set_limit(TENANTS[len(batch) % 2], len(batch) % 3 or None)
            if step == "conflict":
                other = replace(batch[0], sequence=3)
                with pytest.raises(Conflict) as raised:
                    await store.record([*batch, other])
                return [violation.field for violation in raised.value.violations]
            if step == "delete":
                tenant_id = TENANTS[len(batch) % 2]
                contents = await store.tenant_contents(tenant_id)
                assert await store.delete_tenant(tenant_id) == contents
                return contents
            if step == "peaks":
                await store.compute_peaks()
            return None

        async def run(directory: Path) -> None:
            storage, memory = FACTORIES[tested](directory), FACTORIES["memory"](directory)
            epoch = 1
            for batch, step, counted_from_us in zip(batches, steps, starts, strict=True):
                epoch += step == "epoch"
                async with AsyncExitStack() as opened:
                    name = f"epoch-{epoch}"
                    # A start of an epoch that is known changes nothing of it.
                    one, other = [
                        await opened.enter_async_context(each.store(name, counted_from_us))
                        for each in (storage, memory)
                    ]
                    for each in (storage, memory):
                        each.clock.now_us += 20 * MINUTE
                    now_us = memory.clock.now_us
                    if step != "on":
                        expected = await take(step, other[0], now_us, batch)
                        assert await take(step, one[0], now_us, batch) == expected
                        assert await answers(*one, ranges) == await answers(*other, ranges)
                    await one[0].record(batch)
                    await other[0].record(batch)
                    assert await answers(*one, ranges) == await answers(*other, ranges)

        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(run(Path(directory)))

    holds()


@pytest.mark.hypothesis
@pytest.mark.parametrize("tested", SHORT)
def test_two_orders_of_the_same_events_leave_the_same_answers(tested: str) -> None:
    @check(max_examples=tries_on(tested, 15, 1_000))
    @given(received(), st.data())
    def holds(batches: list[list[Event]], data: st.DataObject) -> None:
        stream = [event for batch in batches for event in batch]
        shuffled = data.draw(st.permutations(stream))
        counted_from_us = data.draw(COUNTED_FROM)

        async def left(directory: Path, ordered: Sequence[Event]) -> object:
            opened = FACTORIES[tested](directory).store(counted_from_us=counted_from_us)
            async with opened as (store, view):
                for event in ordered:
                    await store.record([event])
                return await answers(store, view, [(NINE, 2 * HOUR, 5 * MINUTE)])

        results = []
        for ordered in (stream, shuffled):
            with tempfile.TemporaryDirectory() as directory:
                results.append(asyncio.run(left(Path(directory), ordered)))
        assert results[0] == results[1]

    holds()
