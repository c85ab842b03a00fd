"""Random events in any order, with restarts and maintenance: every answer is the oracle's."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.live_metrics.factories import FACTORIES, Factory
from tests.effort import tries
from tests.live_metrics.stores import HOUR, MINUTE, NINE, SECOND, history, live, totals

from vumeter_server.errors import Conflict
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.model import (
    CALL_EVENTS,
    CallOutcome,
    Event,
    EventType,
    RejectionReason,
)
from vumeter_server.live_metrics.store import LiveStore

TENANTS = ("clinic_münchen", "garage/5")
# Few instants, on and beside the edges of minutes and hours, so that events often meet.
INSTANTS = st.one_of(
    st.sampled_from([0, MINUTE]),
    st.sampled_from([0, MINUTE]),
    st.sampled_from([0, 1, MINUTE - 1, MINUTE, 5 * MINUTE, HOUR - 1, HOUR, HOUR + MINUTE]),
    st.integers(0, 12).map(lambda number: number * 20 * SECOND),
    st.integers(0, 2 * HOUR),
).map(lambda offset: NINE + offset)
REPORTED = st.sampled_from([0.0, 0.5, 1.25, 4.5, 4.500001, 12.0, 90.0])
# Often equal, so that ids decide; and often absent.
SEQUENCES = st.sampled_from([None, None, 0, 1, 2, 10, 2**63 - 1])
OUTCOMES = st.sampled_from(sorted(set(CallOutcome) - {CallOutcome.TIMED_OUT}))


@st.composite
def events(draw: st.DrawFn, number: int) -> Event:
    """One valid event whose id is `number`, in no order of its own."""
    kind = draw(st.sampled_from(sorted(set(EventType) - {EventType.CLOSED})))
    minutes = None
    if kind is EventType.AUDIO or (kind is EventType.ENDED and draw(st.booleans())):
        minutes = draw(REPORTED)
    return Event(
        event_id=f"e{draw(st.integers(0, 9))}-{number}",
        type=kind,
        tenant_id=draw(st.sampled_from(TENANTS)),
        occurred_us=draw(INSTANTS),
        call_id=f"call_{draw(st.integers(1, 3))}" if kind in CALL_EVENTS else None,
        reason=draw(st.sampled_from(RejectionReason)) if kind is EventType.REJECTED else None,
        outcome=draw(OUTCOMES) if kind is EventType.ENDED else None,
        minutes=minutes,
        sequence=draw(SEQUENCES),
    )


@st.composite
def received(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of events, some of them received again in later batches."""
    number = draw(st.integers(1, 24))
    distinct = [draw(events(index)) for index in range(number)]
    repeats = draw(st.lists(st.sampled_from(distinct), max_size=6))
    stream = draw(st.permutations([*distinct, *repeats]))
    batches = []
    while stream:
        size = draw(st.integers(1, 8))
        batches.append(list(stream[:size]))
        stream = stream[size:]
    return batches


RANGES = st.tuples(
    st.sampled_from([NINE - HOUR, NINE, NINE + 1, NINE + 90 * SECOND, NINE + 17 * MINUTE]),
    st.sampled_from([0, 1, 30 * SECOND, 7 * MINUTE + 1, HOUR, 3 * HOUR]),
    st.sampled_from(
        [7 * SECOND, MINUTE, 90 * SECOND, 150 * SECOND, 5 * MINUTE, 61 * MINUTE, HOUR, 2 * HOUR]
    ),
)


async def answers(
    store: LiveStore, view: LiveView, ranges: Sequence[tuple[int, int, int]]
) -> dict[str, object]:
    """Everything that can be asked."""
    tenants = (None, *TENANTS, "unknown")
    found: dict[str, object] = {
        "lists": view.capacity().active,
        "accepted": view.capacity().accepted,
        "pending": view.capacity().pending,
        "values": [(totals(view, each), view.values(each).active_calls) for each in tenants],
        "limits": [view.limit(each) for each in TENANTS],
        "tenants": await store.tenants("", 10),
        "following": live(await LiveView.of(store)),
    }
    for start, length, step in ranges:
        # Fine steps over long ranges only cost time.
        end = start + min(length, 60 * step)
        for each in tenants:
            found[f"history of {each} from {start} by {step}"] = await history(
                store, each, start, end, step
            )
    return found


@pytest.fixture(params=[name for name in FACTORIES if name != "memory"])
def tested(request: pytest.FixtureRequest) -> Factory:
    """Each store that the one in memory is the oracle of."""
    return FACTORIES[request.param]


def check(max_examples: int) -> settings:
    return settings(
        max_examples=max_examples,
        deadline=None,
        # The fixtures only name a store: each example opens storage of its own.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@check(max_examples=tries(30, 2_000))
@given(received(), st.lists(RANGES, min_size=2, max_size=3), st.data())
def test_whatever_the_order_and_the_batches_every_answer_is_that_of_brute_force(
    tested: Factory,
    batches: list[list[Event]],
    ranges: list[tuple[int, int, int]],
    data: st.DataObject,
) -> None:
    computed_after = data.draw(st.integers(0, len(batches)))

    async def run(directory: Path) -> None:
        storage, memory = tested(directory), FACTORIES["memory"](directory)
        storage.clock.now_us = memory.clock.now_us = NINE + 3 * HOUR
        async with storage.store() as one, memory.store() as other:
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


STEPS = st.sampled_from(
    [
        *("on", "on", "restart", "epoch", "close", "drop", "drop all", "conflict", "limit"),
        *("peaks", "delete", "delete"),
    ]
)


@check(max_examples=tries(25, 2_000))
@given(received(), st.lists(RANGES, min_size=1, max_size=2), st.data())
def test_over_epochs_closings_retention_and_restarts_every_answer_is_that_of_brute_force(
    tested: Factory,
    batches: list[list[Event]],
    ranges: list[tuple[int, int, int]],
    data: st.DataObject,
) -> None:
    steps = [data.draw(STEPS) for _ in batches]

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
        storage, memory = tested(directory), FACTORIES["memory"](directory)
        epoch = 1
        for batch, step in zip(batches, steps, strict=True):
            epoch += step == "epoch"
            async with AsyncExitStack() as opened:
                name = f"epoch-{epoch}"
                one = await opened.enter_async_context(storage.store(name))
                other = await opened.enter_async_context(memory.store(name))
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


@check(max_examples=tries(15, 1_000))
@given(received(), st.data())
def test_two_orders_of_the_same_events_leave_the_same_answers(
    factory: Factory, batches: list[list[Event]], data: st.DataObject
) -> None:
    stream = [event for batch in batches for event in batch]
    shuffled = data.draw(st.permutations(stream))

    async def left(directory: Path, ordered: Sequence[Event]) -> object:
        async with factory(directory).store() as (store, view):
            for event in ordered:
                await store.record([event])
            return await answers(store, view, [(NINE, 2 * HOUR, 5 * MINUTE)])

    results = []
    for ordered in (stream, shuffled):
        with tempfile.TemporaryDirectory() as directory:
            results.append(asyncio.run(left(Path(directory), ordered)))
    assert results[0] == results[1]
