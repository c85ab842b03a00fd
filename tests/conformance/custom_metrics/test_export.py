"""What exporting points promises, beside answering as the oracle does (test_random)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, Practice, plain
from tests.conformance.custom_metrics.factories import (
    FACTORIES,
    NOON_US,
    RETENTION_DAYS,
    SteppedClock,
    Subject,
)
from tests.conformance.custom_metrics.samples import spread
from tests.custom_metrics.distribution_strategies import given_distributions
from tests.custom_metrics.points import Point
from tests.effort import tries_on

from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import DeleteQuery, ExportQuery
from vumeter_server.custom_metrics.validation import MAX_POINTS


def record_all(practice: Practice, points: list[Point]) -> None:
    for start in range(0, len(points), MAX_POINTS):
        practice.record(*points[start : start + MAX_POINTS])


@pytest.mark.parametrize("flushed", [False, True])
def test_points_come_in_order_with_all_that_they_are(subject: Subject, flushed: bool) -> None:
    practice = Practice.of(subject)
    tags = {"company_id": 'a,"b"\n東京', "origin": "phone"}
    practice.record(
        Point(name="b", value=2, timestamp=NOON_US, agent_id="agent_1", session_id="s1", tags=tags),
        Point(name="a", type="gauge", value=-0.1, timestamp=NOON_US, environment_id="live"),
        Point(name="b", value=3, timestamp=NOON_US),
    )
    practice.record(
        Point(name="b", value=1, timestamp=NOON_US, session_id="s2"),
        Point(name="c", type="histogram", value=0.1 + 0.2, timestamp=NOON_US - 40 * DAY_US),
        Point(name="b", timestamp=NOON_US + 1),
    )
    if flushed:
        subject.run(subject.flush())
    labels = (("agent_id", "agent_1"), ("company_id", tags["company_id"]), ("origin", "phone"))
    assert practice.export() == [
        ("c", MetricType.HISTOGRAM, 0.1 + 0.2, NOON_US - 40 * DAY_US, (), None),
        ("a", MetricType.GAUGE, -0.1, NOON_US, (("environment_id", "live"),), None),
        ("b", MetricType.COUNTER, 2, NOON_US, labels, "s1"),
        ("b", MetricType.COUNTER, 3, NOON_US, (), None),
        ("b", MetricType.COUNTER, 1, NOON_US, (), "s2"),
        ("b", MetricType.COUNTER, 1, NOON_US + 1, (), None),
    ]
    at_noon = ExportQuery(start_us=NOON_US, end_us=NOON_US + 1)
    assert practice.export(at_noon) == practice.export()[1:5]
    of_a_session = Matcher("session_id", Operator.NOT_EQUAL, ("",))
    assert [point[2] for point in practice.export(ExportQuery(filters=[of_a_session]))] == [2, 1]
    assert practice.export(ExportQuery(metric_names=["unknown"])) == []
    assert practice.export(ExportQuery(metric_names=["c", "a"])) == practice.export()[:2]
    assert practice.export(ExportQuery(skip=2, metric_names=["b"])) == practice.export()[4:]


def test_what_was_never_recorded_is_exported_as_nothing(subject: Subject) -> None:
    practice = Practice.of(subject)
    assert practice.export() == []
    practice.record(Point(timestamp=NOON_US))
    other = Practice.of(subject, "Okafor")
    assert other.export() == []
    assert practice.delete("booking_attempt")
    assert practice.export() == []


def test_pieces_are_as_large_as_a_batch_and_say_how_far_they_are(subject: Subject) -> None:
    practice = Practice.of(subject)
    record_all(practice, spread(25_000))
    subject.run(subject.flush())
    record_all(practice, spread(1_000))

    async def pieces() -> list[tuple[int, float]]:
        return [(len(each.batch), each.progress) async for each in practice.exporting()]

    found = subject.run(pieces())
    assert [count for count, _ in found] == [10_000, 10_000, 6_000]
    progress = [each for _, each in found]
    assert progress == sorted(progress)
    assert 0 < progress[0] < progress[-1] == 1


def test_an_export_is_of_one_moment(subject: Subject, clock: SteppedClock) -> None:
    practice = Practice.of(subject)
    points = spread(22_000)
    record_all(practice, points[:12_000])
    subject.run(subject.flush())
    record_all(practice, points[12_000:])
    expected = practice.export()

    async def export() -> list[tuple[Any, ...]]:
        exporting = practice.exporting()
        found = plain((await anext(exporting)).batch)
        await practice.recording(*spread(500), Point(timestamp=NOON_US, session_id="new"))
        await subject.flush()
        await subject.store.delete_points(practice.organization_id, DeleteQuery(end_us=NOON_US))
        await subject.flush()
        clock.now_us += (RETENTION_DAYS + 2) * DAY_US
        await subject.drop()
        async for piece in exporting:
            found += plain(piece.batch)
        return found

    assert subject.run(export()) == expected
    # Whoever asks now sees none of them any more.
    assert practice.export() == []


def test_an_export_may_be_given_up(subject: Subject) -> None:
    practice = Practice.of(subject)
    record_all(practice, spread(15_000))

    async def give_up(rounds: int) -> None:
        for _ in range(rounds):
            exporting = practice.exporting()
            await anext(exporting)
            await exporting.aclose()
            task = asyncio.ensure_future(anext(practice.exporting()))
            await asyncio.sleep(random.choice((0, 0.001, 0.01)))
            task.cancel()
            await asyncio.wait([task])

    subject.run(give_up(20))
    assert len(practice.export()) == 15_000


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", FACTORIES)
def test_an_export_that_is_recorded_again_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    @given(
        st.lists(st.integers(0, 40) | given_distributions(), min_size=1, max_size=12),
        st.booleans(),
    )
    @settings(deadline=None, max_examples=tries_on(name, 40, 1_000))
    def holds(measured: list[int | GivenDistribution], flushed: bool) -> None:
        with FACTORIES[name](tmp_path_factory.mktemp("store"), lambda: NOON_US) as subject:
            practice, copy = Practice.of(subject), Practice.of(subject, "copy")
            points = [
                Point(
                    name="latency_ms",
                    type="histogram",
                    timestamp=NOON_US - number * HOUR_US,
                    session_id=f"s{number % 3}",
                    value=None if isinstance(each, GivenDistribution) else each,
                    distribution=each if isinstance(each, GivenDistribution) else None,
                )
                for number, each in enumerate(measured)
            ]
            practice.record(*points[: len(points) // 2])
            if flushed:
                subject.run(subject.flush())
            practice.record(*points[len(points) // 2 :])

            async def move() -> None:
                async for piece in practice.exporting():
                    await subject.store.record(
                        copy.organization_id, piece.batch, idempotency=None, now_us=NOON_US
                    )

            subject.run(move())
            assert len(practice.export()) == len(points)
            assert copy.export() == practice.export()

    holds()
