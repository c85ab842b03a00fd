"""What the contract promises when storage fails, a limit is met, or a caller goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.conformance.custom_metrics.asking import ALWAYS, HOUR_US, START_US, Practice, at
from tests.conformance.custom_metrics.factories import Subject
from tests.conformance.failing import FAILURES
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.aggregation import OF_BUCKETS, Function, Statistic
from vumeter_server.custom_metrics.questions import (
    FunctionOfMetric,
    GroupedQuery,
    Selection,
    SumQuery,
    TimeseriesQuery,
)
from vumeter_server.errors import Conflict, LimitExceeded, Unavailable

SESSIONS = Function(Statistic.SESSIONS)
BOOKED = Point(name="booking_attempt", session_id="session_1", tags={"company_id": "abc"})
# More than fits into the pages that a file has.
LARGE = [
    at(
        number / 10,
        name="ttft_ms",
        type="histogram",
        value=number,
        session_id=f"session_{number:04}" + "s" * 200,
        tags={"company_id": f"company_{number:04}" + "c" * 200},
    )
    for number in range(3_000)
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_batch_that_storage_cannot_take_is_unavailable_and_leaves_nothing(
    subject: Subject, failure: str
) -> None:
    practice = Practice.of(subject)
    practice.record(BOOKED, key="key_1")
    before = practice.everything()
    with subject.failing(failure):
        for _ in range(2):
            with pytest.raises(Unavailable):
                practice.record(*LARGE, key="key_2")
            # Queries go on.
            assert practice.everything() == before
        assert practice.check(*LARGE, key="key_2") == len(LARGE)
    assert practice.everything() == before
    assert practice.session("session_0000" + "s" * 200) == []
    # Neither the type nor the key was used up.
    assert practice.record(Point(name="ttft_ms", type="gauge", value=1), key="key_2") == 1
    assert practice.record(BOOKED, key="key_1") == 1
    assert practice.sums()[1] == [(0, (), [1.0, 1.0], 2.0)]


@pytest.mark.parametrize("failure", FAILURES)
def test_the_same_batch_is_taken_when_storage_can_again(subject: Subject, failure: str) -> None:
    practice = Practice.of(subject)
    with subject.failing(failure), pytest.raises(Unavailable):
        practice.record(*LARGE, key="key_1")
    for _ in range(2):
        assert practice.record(*LARGE, key="key_1") == len(LARGE)
        total = sum(range(len(LARGE)))
        assert practice.sums() == (["ttft_ms"], [(0, (), [total], total)])
        subject.maintain()


@pytest.mark.parametrize("failure", FAILURES)
def test_background_work_that_storage_does_not_let_through_changes_no_answer(
    subject: Subject, failure: str
) -> None:
    practice = Practice.of(subject)
    practice.record(BOOKED, *LARGE)
    before = practice.everything()
    with subject.failing(failure):
        with contextlib.suppress(Unavailable):
            subject.run(subject.flush())
        assert practice.everything() == before
    subject.maintain()
    assert practice.everything() == before


@pytest.mark.parametrize("beyond", ["metrics", "tag values"])
def test_a_batch_beyond_a_limit_is_refused_whole(subject: Subject, beyond: str) -> None:
    practice = Practice.of(subject)
    with subject.limited_to(2, 3):
        practice.record(
            at(0, tags={"company_id": "abc"}), at(1, name="turns", tags={"company_id": "def"})
        )
        before = practice.everything()
        tags = {"company_id": "ghi"}
        more = [
            at(2, tags=tags),
            at(3, name="calls", tags=tags)
            if beyond == "metrics"
            else at(3, tags={"origin": "web"}),
        ]
        for _ in range(2):
            with pytest.raises(LimitExceeded):
                practice.record(*more, key="key_1")
            assert practice.everything() == before
        # Whether there is room is not checked before.
        assert practice.check(*more, key="key_1") == 2
        # What is known goes on, and so does what there is room for; the key was not used up.
        assert practice.record(at(4, tags={"company_id": "abc"}), key="key_1") == 1
        assert practice.record(at(5, tags=tags)) == 1
        assert practice.sums(by=["company_id"]) == (
            ["booking_attempt", "turns"],
            [
                (0, ("abc",), [2.0, 0.0], 2.0),
                (0, ("def",), [0.0, 1.0], 1.0),
                (0, ("ghi",), [1.0, 0.0], 1.0),
            ],
        )
    assert practice.record(*more, key="key_2") == 2


async def left(call: Coroutine[Any, Any, object], turns: int) -> None:
    """Start a call and go away after so many turns of the event loop."""
    asked = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asked


def test_a_batch_whose_caller_has_gone_is_there_whole_or_not_and_its_key_finds_out(
    subject: Subject,
) -> None:
    practice = Practice.of(subject)
    for turns in range(40):
        new = Point(name=f"metric_{turns}", type="gauge", value=3, tags={"turns": str(turns)})
        subject.run(left(practice.recording(BOOKED, new, key=f"key_{turns}"), turns))
        # It may still be stored, now or a moment later: whole.
        names, rows = practice.sums()
        assert [row[2] for row in rows] in ([[len(names) - 1.0] + [3.0] * (len(names) - 1)], [])
        assert len(names) - 1 in (turns, turns + 1) or turns == len(names) == 0
        assert practice.record(BOOKED, new, key=f"key_{turns}") == 2
        with pytest.raises(Conflict):
            practice.record(BOOKED, key=f"key_{turns}")
        assert practice.sums(metrics=["booking_attempt", new.name])[1] == [
            (0, (), [turns + 1, 3.0], turns + 4)
        ]
        if turns % 10 == 0:
            subject.maintain()


@pytest.mark.parametrize("turns", [0, 1, 30])
def test_queries_whose_callers_have_gone_leave_all_others_their_answers(
    subject: Subject, turns: int
) -> None:
    practice = Practice.of(subject)
    practice.record(*LARGE)
    subject.maintain()
    practice.record(BOOKED, *LARGE[:500])
    before = practice.everything()
    store, of = subject.store, practice.organization_id
    selection = Selection(start_us=START_US + 1, end_us=START_US + 5 * HOUR_US - 1, filters=())

    def queries() -> list[Coroutine[Any, Any, object]]:
        return [
            store.names(of, None),
            store.tags(of, None, None, 1_000),
            store.session(of, "session_1"),
            store.sums(
                of,
                SumQuery(
                    selection=selection, metric_names=None, group_by=["company_id"], bounds_us=None
                ),
            ),
            store.timeseries(
                of,
                TimeseriesQuery(
                    selection=selection,
                    metric_name="ttft_ms",
                    step_us=60_000_000,
                    functions=OF_BUCKETS,
                ),
            ),
            store.at_one_moment(
                of,
                lambda ask: ask(
                    GroupedQuery(
                        bounds_us=ALWAYS,
                        columns=[FunctionOfMetric(metric_name="ttft_ms", function=SESSIONS)],
                        group_by=["session_id"],
                    )
                ),
            ),
        ]

    async def gone() -> None:
        # More than there are threads, and than are handed over together.
        await asyncio.gather(*(left(query, turns) for _ in range(4) for query in queries()))

    subject.run(gone())
    assert practice.everything() == before
