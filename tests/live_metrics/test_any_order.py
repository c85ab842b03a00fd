"""One call, any order, same result: the store against brute force on random events."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live_metrics.oracle import Oracle
from tests.live_metrics.stores import HOUR, MINUTE, NINE, SECOND, ground, history, lists, totals

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
        outcome=draw(st.sampled_from(CallOutcome)) if kind is EventType.ENDED else None,
        minutes=minutes,
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


async def compare(
    store: LiveStore, view: LiveView, oracle: Oracle, ranges: Sequence[tuple[int, int, int]]
) -> None:
    assert lists(view) == oracle.lists()
    for tenant_id in (None, *TENANTS, "unknown"):
        assert totals(view, tenant_id) == oracle.totals(tenant_id)
        active = [
            tenant
            for tenant, name in oracle.lists().values()
            if name == "active" and tenant_id in (None, tenant)
        ]
        assert view.values(tenant_id).active_calls == len(active)
        for start, length, step in ranges:
            # Fine steps over long ranges only cost time.
            limited = (tenant_id, start, start + min(length, 60 * step), step)
            assert await history(store, *limited) == oracle.history(*limited)


@settings(max_examples=120, deadline=None)
@given(received(), st.lists(RANGES, min_size=2, max_size=3), st.data())
def test_whatever_the_order_and_the_batches_every_answer_is_that_of_brute_force(
    batches: list[list[Event]], ranges: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    worked_out_after = data.draw(st.integers(0, len(batches)))

    async def run(directory: Path) -> None:
        oracle = Oracle()
        land = ground(directory)
        land.clock.now_us = NINE + 3 * HOUR
        async with land.store() as (store, view):
            for index, batch in enumerate(batches):
                if index == worked_out_after:
                    await store.compute_peaks()
                await store.record(batch)
                oracle.receive(batch)
            await compare(store, view, oracle, ranges)
            await store.compute_peaks()
            await compare(store, view, oracle, ranges)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(Path(directory)))


@settings(max_examples=80, deadline=None)
@given(received(), st.lists(RANGES, min_size=1, max_size=2), st.data())
def test_over_launches_closings_and_restarts_every_answer_is_that_of_brute_force(
    batches: list[list[Event]], ranges: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    steps = st.sampled_from(["restart", "launch", "close", "on", "on"])
    what = [data.draw(steps) for _ in batches]

    async def run(directory: Path) -> None:
        oracle = Oracle()
        land = ground(directory)
        closed = False
        for batch, step in zip(batches, what, strict=True):
            if step == "launch":
                oracle.launch()
            async with land.store(f"epoch-{len(oracle.launches)}") as (store, view):
                if step == "close" and not closed:
                    # Once, since a pending call comes back with its next event.
                    closed = True
                    land.clock.now_us += HOUR
                    await store.close_stuck(land.clock.now_us)
                    lapsed = {
                        call for call, (_, name) in oracle.lists().items() if name == "pending"
                    }
                    oracle.close_all(land.clock.now_us)
                    oracle.lapsed |= lapsed
                await store.record(batch)
                oracle.receive(batch)
                await compare(store, view, oracle, ranges)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(Path(directory)))


@settings(max_examples=40, deadline=None)
@given(received(), st.data())
def test_two_orders_of_the_same_events_leave_the_same_answers(
    batches: list[list[Event]], data: st.DataObject
) -> None:
    stream = [event for batch in batches for event in batch]
    shuffled = data.draw(st.permutations(stream))

    async def answers(directory: Path, ordered: Sequence[Event]) -> object:
        async with ground(directory).store() as (store, view):
            for event in ordered:
                await store.record([event])
            return (
                lists(view),
                [totals(view, tenant) for tenant in (None, *TENANTS)],
                await history(store, None, NINE, NINE + 2 * HOUR, 5 * MINUTE),
            )

    results = []
    for ordered in (stream, shuffled):
        with tempfile.TemporaryDirectory() as directory:
            results.append(asyncio.run(answers(Path(directory), ordered)))
    assert results[0] == results[1]
