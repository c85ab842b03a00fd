"""BucketBounds of a range: by length, by the calendar of a zone, and those of the range before."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.buckets import (
    CalendarUnit,
    Step,
    buckets_of,
    days_earlier,
    previous,
)
from vumeter_server.times.ranges import TimeRange, parse_range
from vumeter_server.times.rfc3339 import format_local
from vumeter_server.times.units import DAY_US, HOUR_US
from vumeter_server.times.zones import find_zone, offset_at

BERLIN = find_zone("Europe/Berlin")
UTC_ZONE = find_zone(None)
DAY, WEEK, MONTH, QUARTER, YEAR = CalendarUnit


def span(start: str, end: str, zone: ZoneInfo = UTC_ZONE) -> TimeRange:
    return parse_range(start, end, zone.key)


def shown(bounds_us: tuple[int, ...], zone: ZoneInfo = UTC_ZONE) -> list[str]:
    return [format_local(each, offset_at(each, zone)) for each in bounds_us]


@pytest.mark.parametrize(
    ("step", "bounds"),
    [
        (None, ["2025-01-30", "2025-04-02"]),
        (30 * DAY_US, ["2025-01-30", "2025-03-01", "2025-03-31", "2025-04-02"]),
        (MONTH, ["2025-01-30", "2025-02-01", "2025-03-01", "2025-04-01", "2025-04-02"]),
        (QUARTER, ["2025-01-30", "2025-04-01", "2025-04-02"]),
        (YEAR, ["2025-01-30", "2025-04-02"]),
    ],
)
def test_a_range_is_divided(step: Step, bounds: list[str]) -> None:
    found = buckets_of(span("2025-01-30", "2025-04-02"), step, UTC_ZONE)
    assert shown(found.bounds_us) == [f"{each}T00:00:00+00:00" for each in bounds]


def test_weeks_begin_on_monday() -> None:
    found = buckets_of(span("2025-04-02", "2025-04-16"), WEEK, UTC_ZONE)
    assert [each[:10] for each in shown(found.bounds_us)] == [
        *("2025-04-02", "2025-04-07", "2025-04-14", "2025-04-16")
    ]


def test_days_have_23_and_25_hours_where_clocks_change() -> None:
    spring = buckets_of(span("2025-03-29", "2025-04-01", BERLIN), DAY, BERLIN).bounds_us
    autumn = buckets_of(span("2025-10-25", "2025-10-28", BERLIN), DAY, BERLIN).bounds_us
    for bounds, hours in ((spring, [24, 23, 24]), (autumn, [24, 25, 24])):
        lengths = [(end - start) // HOUR_US for start, end in itertools.pairwise(bounds)]
        assert lengths == hours
    assert shown(spring, BERLIN)[1:3] == ["2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00"]


def test_a_day_that_a_zone_skipped_is_not_there() -> None:
    apia = find_zone("Pacific/Apia")
    found = buckets_of(span("2011-12-29", "2012-01-01", apia), DAY, apia)
    assert [each[:10] for each in shown(found.bounds_us, apia)] == [
        *("2011-12-29", "2011-12-31", "2012-01-01")
    ]


@pytest.mark.parametrize(
    ("start", "end", "step", "before"),
    [
        ("2025-04-02", "2025-04-09", None, ("2025-03-26", "2025-04-02")),
        ("2025-04-02", "2025-04-09", DAY_US, ("2025-03-26", "2025-04-02")),
        ("2025-04-02", "2025-04-09", DAY, ("2025-03-26", "2025-04-02")),
        ("2025-04-02", "2025-04-16", WEEK, ("2025-03-12", "2025-03-26")),
        ("2025-03-01", "2025-04-01", MONTH, ("2025-02-01", "2025-03-01")),
        ("2025-03-31", "2025-04-30", MONTH, ("2025-01-31", "2025-02-28")),
        ("2025-01-01", "2026-01-01", QUARTER, ("2024-01-01", "2025-01-01")),
        ("2024-02-29", "2024-03-01", YEAR, ("2023-02-28", "2023-03-01")),
    ],
)
def test_the_range_before_is_as_long_or_as_many_whole_steps_earlier(
    start: str, end: str, step: Step, before: tuple[str, str]
) -> None:
    found = previous(span(start, end), step, UTC_ZONE)
    assert found == span(*before)


def test_days_earlier_are_local_days() -> None:
    found = days_earlier(span("2025-03-31T08:00", "2025-04-01", BERLIN), 7, BERLIN)
    assert shown((found.start_us, found.end_us), BERLIN) == [
        "2025-03-24T08:00:00+01:00",
        "2025-03-25T00:00:00+01:00",
    ]


def test_more_than_11_000_buckets_are_rejected() -> None:
    with pytest.raises(InvalidArgument, match="step"):
        buckets_of(span("2025-01-01", "2025-04-01"), 60_000_000, UTC_ZONE)


def test_an_empty_range_has_no_buckets() -> None:
    assert len(buckets_of(span("2025-01-01", "2025-01-01"), DAY, UTC_ZONE)) == 0


instants = st.integers(0, 60 * 365 * DAY_US)


@given(
    instants,
    st.integers(1, 400 * DAY_US),
    st.sampled_from([DAY, WEEK, MONTH, QUARTER, YEAR]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]),
)
def test_calendar_buckets_cover_the_range_and_begin_where_the_date_says(
    start_us: int, length_us: int, unit: CalendarUnit, name: str
) -> None:
    zone = find_zone(name)
    bounds = buckets_of(
        TimeRange(start_us=start_us, end_us=start_us + length_us), unit, zone
    ).bounds_us
    assert bounds[0] == start_us
    assert bounds[-1] == start_us + length_us
    assert list(bounds) == sorted(set(bounds))
    for bound in bounds[1:-1]:
        local = datetime.fromtimestamp((bound + offset_at(bound, zone)) // 1_000_000, UTC)
        assert (local.hour, local.minute, local.second) == (0, 0, 0)
        if unit is WEEK:
            assert local.weekday() == 0
        elif unit is not DAY:
            assert local.day == 1
            assert unit is MONTH or (local.month - 1) % (3 if unit is QUARTER else 12) == 0
