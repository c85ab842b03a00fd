"""What `record` and `check` promise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, Practice, outcome
from tests.conformance.custom_metrics.factories import NOON_US, Factory, SteppedClock, Subject
from tests.custom_metrics.points import Point

from vumeter_server.errors import Conflict, InvalidArgument

BOOKED = Point(name="booking_attempt", session_id="session_1", tags={"company_id": "abc"})


def test_what_was_recorded_is_seen_by_the_next_query(subject: Subject) -> None:
    practice = Practice.of(subject)
    for count in range(1, 4):
        assert practice.record(BOOKED) == 1
        assert practice.sums() == (["booking_attempt"], [(0, (), [count], count)])
        assert practice.session("session_1")[0][-1] == count


def test_defaults_are_filled_in_from_the_type_and_the_call(subject: Subject) -> None:
    practice = Practice.of(subject)
    practice.record(BOOKED, now_us=NOON_US - 5)
    assert practice.session("session_1") == [
        ("booking_attempt", "counter", {"company_id": "abc"}, NOON_US - 5, 1.0, 1)
    ]


def test_a_batch_is_stored_whole_or_not_at_all(subject: Subject) -> None:
    practice = Practice.of(subject)
    practice.record(BOOKED)
    before = practice.everything()
    with pytest.raises(InvalidArgument) as caught:
        practice.record(
            Point(name="new_metric", value=3, tags={"new_tag": "x"}, session_id="new_session"),
            Point(name="booking_attempt", type="gauge", value=1),
            key="key_1",
        )
    assert [each.sentence for each in caught.value.violations] == [
        "points[1].type must be counter, as this metric was first recorded"
    ]
    assert practice.everything() == before
    assert practice.session("new_session") == []
    # Neither the type nor the key was used up.
    assert practice.record(Point(name="new_metric", type="gauge", value=1), key="key_1") == 1


def test_an_empty_batch_is_recorded(subject: Subject) -> None:
    practice = Practice.of(subject)
    assert practice.record() == practice.record(key="key_1") == practice.record(key="key_1") == 0
    assert practice.everything()["names"] == []
    with pytest.raises(Conflict):
        practice.record(BOOKED, key="key_1")


def test_a_dry_run_answers_as_recording_does_and_changes_nothing(subject: Subject) -> None:
    practice = Practice.of(subject)
    practice.record(BOOKED, key="used")
    before = practice.everything()
    assert practice.check(BOOKED, BOOKED) == 2
    assert practice.check(BOOKED, key="used") == 1
    assert practice.check(Point(name="ttft_ms", type="histogram", value=380), key="free") == 1
    with pytest.raises(Conflict, match="idempotency_key was used before with other content"):
        practice.check(BOOKED, BOOKED, key="used")
    with pytest.raises(InvalidArgument, match="must be counter"):
        practice.check(Point(name="booking_attempt", type="gauge", value=1))
    assert practice.everything() == before
    # The type of the new metric is still open, and so is the key.
    assert practice.record(Point(name="ttft_ms", type="gauge", value=380), key="free") == 1


def test_a_repeat_under_an_idempotency_key_stores_nothing(subject: Subject) -> None:
    practice = Practice.of(subject)
    assert practice.record(BOOKED, BOOKED, key="key_1") == 2
    for _ in range(2):
        assert practice.record(BOOKED, BOOKED, key="key_1", now_us=NOON_US + HOUR_US) == 2
        subject.maintain()
    assert practice.sums()[1] == [(0, (), [2.0], 2.0)]
    with pytest.raises(Conflict) as caught:
        practice.record(BOOKED, key="key_1")
    assert [each.field for each in caught.value.violations] == ["idempotency_key"]
    assert practice.sums()[1] == [(0, (), [2.0], 2.0)]


def test_of_calls_at_one_time_with_one_key_one_is_stored(subject: Subject) -> None:
    practice = Practice.of(subject)

    async def at_one_time() -> list[int]:
        return await asyncio.gather(*(practice.recording(BOOKED, key="key_1") for _ in range(20)))

    assert subject.run(at_one_time()) == [1] * 20
    assert practice.sums()[1] == [(0, (), [1.0], 1.0)]


def test_of_two_types_for_a_new_metric_at_one_time_one_wins(subject: Subject) -> None:
    practice = Practice.of(subject)
    kinds = ("gauge", "histogram")

    async def at_one_time() -> list[int | str]:
        calls = (Point(name="x", type=kinds[n % 2], value=1) for n in range(10))
        return await asyncio.gather(*(outcome(practice.recording(point)) for point in calls))

    answers = subject.run(at_one_time())
    [(_, winner)] = practice.metrics() or []
    assert [answer == 1 for answer in answers] == [kinds[n % 2] == winner for n in range(10)]
    assert practice.sums()[1] == [(0, (), [5.0], 5.0)]


def test_a_key_is_known_for_two_days_and_then_forgotten(
    subject: Subject, clock: SteppedClock
) -> None:
    practice = Practice.of(subject)
    practice.record(BOOKED, key="key_1")
    clock.now_us += 2 * DAY_US
    subject.maintain()
    with pytest.raises(Conflict):
        practice.record(BOOKED, BOOKED, key="key_1")
    clock.now_us += 1
    subject.maintain()
    assert practice.record(BOOKED, BOOKED, key="key_1", now_us=clock.now_us) == 2
    assert practice.sums()[1] == [(0, (), [3.0], 3.0)]


def test_everything_survives_a_restart(factory: Factory, tmp_path: Path) -> None:
    clock = SteppedClock()
    with factory(tmp_path, clock) as subject:
        practice = Practice.of(subject)
        practice.record(BOOKED, Point(name="ttft_ms", type="histogram", value=380), key="key_1")
        before = practice.everything()
    with factory(tmp_path, clock) as subject:
        again = Practice(subject, practice.organization_id, practice.name)
        subject.run(subject.store.upgrade(lambda done, total: None))
        assert again.everything() == before
        with pytest.raises(Conflict):
            again.record(BOOKED, key="key_1")
        with pytest.raises(InvalidArgument):
            again.record(Point(name="ttft_ms", type="gauge", value=1))


def test_another_process_sees_what_was_recorded_when_it_asks(
    factory: Factory, tmp_path: Path
) -> None:
    clock = SteppedClock()
    with factory(tmp_path, clock) as subject, factory(tmp_path, clock) as other:
        practice = Practice.of(subject)
        queried = Practice(other, practice.organization_id, practice.name)
        for count in range(1, 4):
            practice.record(BOOKED)
            assert queried.sums() == (["booking_attempt"], [(0, (), [count], count)])
            subject.maintain()
            assert queried.everything() == practice.everything()
        practice.delete("booking_attempt")
        assert queried.everything() == practice.everything()


def test_organizations_see_nothing_of_each_other(subject: Subject) -> None:
    first, second = Practice.of(subject, "Dr. Weber"), Practice.of(subject, "Dr. Okafor")
    first.record(BOOKED, BOOKED, key="key_1")
    empty = second.everything()
    assert (empty["names"], empty["tags"], empty["sums"]) == ([], {}, ([], []))
    assert second.session("session_1") == []
    # Types and keys are each one's own.
    other = Point(name="booking_attempt", type="gauge", value=7, session_id="session_1")
    assert second.record(other, key="key_1") == 1
    for _ in range(2):
        assert first.metrics() == [("booking_attempt", "counter")]
        assert second.metrics() == [("booking_attempt", "gauge")]
        assert first.sums()[1] == [(0, (), [2.0], 2.0)]
        assert second.session("session_1")[0][4:] == (7.0, 1)
        subject.maintain()
    assert second.delete("booking_attempt")
    assert first.sums()[1] == [(0, (), [2.0], 2.0)]
