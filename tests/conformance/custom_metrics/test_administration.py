"""What listing and deleting metrics, and retention, promise."""

from __future__ import annotations

from tests.conformance.custom_metrics.asking import DAY_US, Practice
from tests.conformance.custom_metrics.factories import (
    NOON_US,
    RETENTION_DAYS,
    SteppedClock,
    Subject,
)
from tests.custom_metrics.points import Point

BOOKED = Point(
    name="booking_attempt", session_id="session_1", agent_id="agent_1", tags={"company_id": "abc"}
)
TTFT = Point(
    name="ttft_ms", type="histogram", value=380, session_id="session_2", tags={"origin": "web"}
)


def test_metrics_are_listed_by_name_with_their_types(subject: Subject) -> None:
    practice = Practice.of(subject)
    assert practice.metrics() == []
    practice.record(TTFT, BOOKED, Point(name="queue_length", type="gauge", value=-1))
    assert practice.metrics() == [
        ("booking_attempt", "counter"),
        ("queue_length", "gauge"),
        ("ttft_ms", "histogram"),
    ]


def test_an_unknown_organization_or_metric_is_told(subject: Subject) -> None:
    practice = Practice.of(subject)
    assert subject.administration.list_metrics("nobody") is None
    assert not subject.administration.delete_metric("nobody", "booking_attempt")
    assert not practice.delete("booking_attempt")


def test_a_deleted_metric_is_gone_at_once_and_its_name_is_free(subject: Subject) -> None:
    for flushed in (False, True):
        practice = Practice.of(subject, f"flushed: {flushed}")
        practice.record(TTFT)
        expected = practice.everything()
        practice.record(BOOKED, key="key_1")
        practice.everything()
        if flushed:
            subject.maintain()
        assert practice.delete("booking_attempt")
        for _ in range(2):
            assert practice.everything() == expected
            assert practice.session("session_1") == []
            assert practice.names("agent_1") == []
            subject.maintain()
        # A late repeat does not bring the points back.
        assert practice.record(BOOKED, key="key_1") == 1
        assert practice.everything() == expected
        practice.record(Point(name="booking_attempt", type="gauge", value=2))
        assert practice.metrics() == [("booking_attempt", "gauge"), ("ttft_ms", "histogram")]
        assert practice.sums(metrics=["booking_attempt"])[1] == [(0, (), [2.0], 2.0)]
        assert not practice.delete("never_recorded")


def test_days_are_kept_for_as_long_as_was_set_and_dropped_whole(
    subject: Subject, clock: SteppedClock
) -> None:
    practice = Practice.of(subject)
    times = [NOON_US + day * DAY_US for day in range(3)]
    for time_us in times:
        practice.record(
            Point(name="ttft_ms", type="histogram", value=380, timestamp=time_us, session_id="s"),
            Point(name="booking_attempt", timestamp=time_us, tags={"company_id": "abc"}),
            now_us=time_us,
        )
    subject.maintain()
    for kept in (3, 2, 1, 0):
        # A day is kept while no more than RETENTION_DAYS lie between it and today.
        clock.now_us = NOON_US - NOON_US % DAY_US + (RETENTION_DAYS + 4 - kept) * DAY_US - 1
        subject.maintain()
        rows = [(3 - kept + n, (), [1.0, 380.0], 381.0) for n in range(kept)]
        bounds = [NOON_US - 1 + day * DAY_US for day in range(4)]
        found = practice.sums((bounds[0], bounds[-1]), bounds_us=bounds)
        assert found == (["booking_attempt", "ttft_ms"] if kept else [], rows)
        assert sum(entry[-1] for entry in practice.session("s")) == kept
        assert len(practice.timeseries("ttft_ms", DAY_US, (NOON_US, bounds[-1]))[1]) == kept
        # What there was stays known.
        assert practice.names() == ["booking_attempt", "ttft_ms"]
        assert practice.tags() == {"company_id": (["abc"], False)}
        assert practice.metrics() == [("booking_attempt", "counter"), ("ttft_ms", "histogram")]


def test_what_was_recorded_lately_is_kept_however_old_it_is(
    subject: Subject, clock: SteppedClock
) -> None:
    practice = Practice.of(subject)
    old = Point(name="booking_attempt", timestamp=NOON_US - 900 * DAY_US)
    practice.record(old)
    subject.maintain()
    clock.now_us += RETENTION_DAYS * DAY_US
    subject.maintain()
    assert practice.sums()[1] == [(0, (), [1.0], 1.0)]
    # A later point keeps all of its day.
    practice.record(old, now_us=clock.now_us)
    subject.maintain()
    clock.now_us += RETENTION_DAYS * DAY_US
    subject.maintain()
    assert practice.sums()[1] == [(0, (), [2.0], 2.0)]
    clock.now_us += DAY_US
    subject.maintain()
    assert practice.sums() == ([], [])
