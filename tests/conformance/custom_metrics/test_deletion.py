"""What deleting points promises, beside answering as the oracle does (test_random)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, Practice, outcome
from tests.conformance.custom_metrics.factories import NOON_US, Factory, SteppedClock, Subject
from tests.conformance.custom_metrics.samples import OF_COMPANY, spread
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import DeleteQuery, Selection, SumQuery

OF_SESSION = DeleteQuery(filters=(Matcher("session_id", Operator.EQUAL, ("session_1",)),))


def booked(day: int = 0, **point: object) -> Point:
    """Return an attempt of so many days ago."""
    return Point(name="booking_attempt", timestamp=NOON_US - day * DAY_US, **point)  # type: ignore[arg-type]


@pytest.mark.parametrize("flushed", [False, True])
def test_points_of_a_session_go_with_all_that_only_they_had(
    subject: Subject, flushed: bool
) -> None:
    practice = Practice.of(subject)
    practice.record(
        booked(session_id="session_2", tags={"origin": "web"}), booked(session_id="session_2")
    )
    expected = practice.everything()
    practice.record(
        booked(session_id="session_1", agent_id="agent_1", tags={"origin": "phone"}),
        booked(3, session_id="session_1", tags={"origin": "web"}),
        Point(name="ttft_ms", type="histogram", value=380, session_id="session_1"),
    )
    if flushed:
        subject.maintain()
    assert practice.names() == ["booking_attempt", "ttft_ms"]
    assert practice.count_points(OF_SESSION) == 3
    assert practice.delete_points(OF_SESSION) == 3
    for _ in range(2):
        assert practice.everything() | {"metrics": None} == expected | {"metrics": None}
        assert practice.session("session_1") == []
        assert practice.names("agent_1") == []
        assert practice.tags(agent_id="agent_1") == {}
        assert practice.count_points(OF_SESSION) == practice.delete_points(OF_SESSION) == 0
        subject.maintain()
    # The type of a metric stays, though no point of it is left.
    assert practice.metrics() == [("booking_attempt", "counter"), ("ttft_ms", "histogram")]
    assert practice.timeseries("ttft_ms", DAY_US, (0, DAY_US)) == ("histogram", [])
    # What was deleted may be recorded again.
    practice.record(booked(session_id="session_1", agent_id="agent_1", tags={"origin": "phone"}))
    for _ in range(2):
        assert [entry[-1] for entry in practice.session("session_1")] == [1]
        assert practice.names("agent_1") == ["booking_attempt"]
        assert practice.tags() == {"origin": (["phone", "web"], False)}
        subject.maintain()


def test_counting_changes_nothing(subject: Subject) -> None:
    practice = Practice.of(subject)
    practice.record(*spread(200))
    before = practice.everything()
    assert practice.count_points(OF_COMPANY) == 40
    assert practice.count_points(DeleteQuery(metric_names=["ttft_ms"])) == 100
    assert practice.count_points(DeleteQuery(metric_names=["unknown"])) == 0
    assert practice.count_points(DeleteQuery()) == 200
    assert practice.everything() == before


def test_a_late_repeat_brings_no_point_back(subject: Subject) -> None:
    practice = Practice.of(subject)
    point = booked(session_id="session_1")
    practice.record(point, key="key_1")
    assert practice.delete_points(DeleteQuery()) == 1
    assert practice.record(point, key="key_1") == 1
    assert practice.sums() == ([], [])
    assert practice.names() == []


def test_a_range_may_begin_and_end_within_a_day(subject: Subject) -> None:
    practice = Practice.of(subject)
    for _ in range(2):
        points = [Point(timestamp=NOON_US - n * HOUR_US, session_id=f"s{n}") for n in range(40)]
        practice.record(*points)
        query = DeleteQuery(start_us=NOON_US - 30 * HOUR_US, end_us=NOON_US - 2 * HOUR_US)
        assert practice.delete_points(query) == 28
        for n in range(40):
            assert len(practice.session(f"s{n}")) == (n < 3 or n > 30)
        subject.maintain()
        practice.delete_points(DeleteQuery())


@pytest.mark.parametrize("flushed", [False, True])
def test_nothing_is_left_of_an_organization_that_is_forgotten(
    subject: Subject, flushed: bool
) -> None:
    practice, rival = Practice.of(subject), Practice.of(subject, "rival")
    nothing = practice.everything()
    points = [
        *spread(300),
        booked(session_id="session_1", agent_id="agent_1", tags={"origin": "phone"}),
    ]
    for each in (practice, rival):
        each.record(*points, key="call-17")
    if flushed:
        subject.maintain()
    expected = rival.everything()
    for _ in range(2):
        subject.run(subject.store.forget_organization(practice.organization_id))
        for _ in range(2):
            assert practice.everything() == nothing
            assert practice.session("session_1") == []
            subject.maintain()
    # Types and idempotency keys are forgotten too.
    practice.record(
        booked(session_id="session_1", type="gauge", value=1, tags={"x": "y"}), key="call-17"
    )
    for _ in range(2):
        assert practice.metrics() == [("booking_attempt", "gauge")]
        assert practice.tags() == {"x": (["y"], False)}
        assert [entry[-1] for entry in practice.session("session_1")] == [1]
        assert rival.everything() == expected
        assert subject.problems() == []
        subject.maintain()


def test_nothing_is_deleted_of_another_organization(subject: Subject) -> None:
    practice, other = Practice.of(subject), Practice.of(subject, "Dr. Okafor")
    for each in (practice, other):
        each.record(*spread(100))
    subject.maintain()
    before = other.everything()
    assert practice.delete_points(DeleteQuery()) == 100
    subject.maintain()
    assert other.everything() == before
    assert practice.sums() == ([], [])
    assert practice.tags() == {}


def test_queries_see_all_of_the_points_or_none_while_recording_goes_on(subject: Subject) -> None:
    practice = Practice.of(subject)
    points = spread(2_000)
    practice.record(*points[:1_000])
    subject.maintain()
    practice.record(*points[1_000:])
    store, organization_id = subject.store, practice.organization_id
    grouped = SumQuery(selection=Selection(start_us=0, end_us=2**52), group_by=("company_id",))
    more = [Point(name="later", type="counter", session_id="later")] * 20
    is_deleted = False
    seen: list[bool] = []

    async def ask() -> None:
        sums = await store.sums(organization_id, grouped)
        groups = {group for (group,) in sums.groups}
        companies = {f"c{number}" for number in range(5)}
        assert groups - {""} in (companies, companies - {"c1"})
        seen.append("c1" in groups)
        by_session = [await store.session(organization_id, f"session_{n}") for n in (1, 6, 7)]
        assert all(len({entry.metric_name for entry in found}) <= 2 for found in by_session)

    async def ask_on() -> None:
        while not is_deleted:
            await ask()
            await asyncio.sleep(0)
        await ask()

    async def delete() -> None:
        nonlocal is_deleted
        assert await store.delete_points(organization_id, OF_COMPANY) == 400
        is_deleted = True

    async def record() -> None:
        for point in more:
            await outcome(practice.recording(point))

    async def all_of_it() -> None:
        await ask()
        await asyncio.gather(ask_on(), delete(), record(), subject.flush())

    subject.run(all_of_it())
    assert seen[0]
    assert not seen[-1]
    # Once they are gone, they stay so.
    assert seen == sorted(seen, reverse=True)
    assert practice.session("later")[0][-1] == len(more)


def test_what_was_deleted_stays_so_when_the_store_is_opened_again(
    factory: Factory, tmp_path: Path, clock: SteppedClock
) -> None:
    with factory(tmp_path, clock) as subject:
        practice = Practice.of(subject)
        practice.record(*spread(300))
        assert practice.delete_points(OF_COMPANY) == 60
        expected = practice.everything()
    with factory(tmp_path, clock) as again:
        reopened = Practice(again, practice.organization_id, practice.name)
        for _ in range(2):
            assert reopened.everything() == expected
            again.maintain()


def test_two_open_stores_see_a_deletion_at_once(
    factory: Factory, tmp_path: Path, clock: SteppedClock
) -> None:
    with factory(tmp_path, clock) as subject, factory(tmp_path, clock) as reader:
        practice = Practice.of(subject)
        other = Practice(reader, practice.organization_id, practice.name)
        practice.record(*spread(300))
        subject.maintain()
        practice.record(*spread(100))
        assert practice.everything() == other.everything()
        assert practice.delete_points(OF_COMPANY) == 80
        assert practice.everything() == other.everything()
        assert "c1" not in other.tags()["company_id"][0]
