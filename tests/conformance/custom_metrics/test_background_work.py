"""What `run` and flushing promise: nothing of it shows, but that old days go."""

from __future__ import annotations

import asyncio
import contextlib

from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, Practice, outcome
from tests.conformance.custom_metrics.factories import (
    NOON_US,
    RETENTION_DAYS,
    SteppedClock,
    Subject,
)
from tests.conformance.custom_metrics.samples import spread
from tests.custom_metrics.points import Point
from tests.waiting import comes_to_hold

from vumeter_server.custom_metrics.questions import Selection, SumQuery, TimeseriesQuery


def test_nobody_sees_that_points_are_flushed_while_they_ask(subject: Subject) -> None:
    practice = Practice.of(subject)
    points = spread(2_000)
    for start in range(0, len(points), 50):
        practice.record(*points[start : start + 50])
    store, organization_id = subject.store, practice.organization_id
    selection = Selection(start_us=NOON_US - 9 * DAY_US + 1, end_us=NOON_US - 3 * HOUR_US)
    grouped = SumQuery(selection=selection, group_by=("company_id",))
    buckets = TimeseriesQuery(selection=selection, metric_name="ttft_ms", step_us=DAY_US)
    is_flushed = False
    answers = set()

    async def ask() -> None:
        sums = await store.sums(organization_id, grouped)
        rows = sorted(zip(sums.groups, sums.sums.tolist(), strict=True))
        found = await store.timeseries(organization_id, buckets)
        session = await store.session(organization_id, "session_7")
        answers.add(repr((rows, found.values.tolist(), found.counts.tolist(), session)))

    async def flush() -> None:
        nonlocal is_flushed
        await subject.flush()
        is_flushed = True

    async def ask_on() -> None:
        await ask()
        while not is_flushed:
            await ask()
            # A store that answers without waiting would never let the flush go on.
            await asyncio.sleep(0)
        await ask()

    async def both() -> None:
        await asyncio.gather(ask_on(), ask_on(), flush())

    subject.run(ask())
    subject.run(both())
    assert len(answers) == 1


def test_what_is_recorded_while_points_are_flushed_is_kept(subject: Subject) -> None:
    practice = Practice.of(subject)
    points = spread(1_000)
    practice.record(*points[:500])

    async def both() -> None:
        recordings = (practice.recording(point) for point in points[500:])
        await asyncio.gather(subject.flush(), *(outcome(each) for each in recordings))

    subject.run(both())
    for _ in range(2):
        found = practice.timeseries("ttft_ms", 40_000 * DAY_US, (0, 40_000 * DAY_US))[1]
        assert [count for _, _, count in found] == [500]
        assert practice.sums()[1][0][3] == sum(point.value or 0 for point in points)
        subject.maintain()


def test_old_days_go_while_the_background_work_runs(subject: Subject, clock: SteppedClock) -> None:
    practice = Practice.of(subject)
    practice.record(Point(session_id="old"))
    subject.run(subject.flush())
    clock.now_us += (RETENTION_DAYS + 1) * DAY_US
    practice.record(Point(session_id="new"), now_us=clock.now_us)

    async def until_dropped() -> None:
        running = asyncio.create_task(subject.store.run())

        async def is_dropped() -> bool:
            return not await subject.store.session(practice.organization_id, "old")

        await comes_to_hold(is_dropped, seconds=60)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert running.cancelled()

    subject.run(until_dropped())
    assert practice.sums()[1] == [(0, (), [1.0], 1.0)]
    assert len(practice.session("new")) == 1


def test_days_that_go_are_noted_once_for_each_organization(
    subject: Subject, clock: SteppedClock
) -> None:
    practice, other = Practice.of(subject), Practice.of(subject, "Dr. Lang")
    for day in (0, 1, 2):
        practice.record(Point(timestamp=NOON_US + day * DAY_US), now_us=clock.now_us)
        subject.run(subject.flush())
        clock.now_us += DAY_US
    other.record(Point(timestamp=clock.now_us), now_us=clock.now_us)
    subject.maintain()
    assert subject.noted(practice.name) == []
    # The third day of the practice is kept.
    clock.now_us = NOON_US + (RETENTION_DAYS + 2) * DAY_US
    for _ in range(2):
        subject.maintain()
    expected = [("retention.drop_days", {"days": 2, "last_day": "2025-04-02"})]
    assert subject.noted(practice.name) == expected
    clock.now_us += DAY_US
    subject.maintain()
    expected += [("retention.drop_days", {"days": 1, "last_day": "2025-04-03"})]
    assert subject.noted(practice.name) == expected
    assert subject.noted(other.name) == []
