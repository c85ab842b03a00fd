"""Zones of the tzdata package, wall times and calendar days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US
from vumeter_server.times.zones import find_zone, local_days, offset_at, to_instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Pacific/Kwajalein",
)


def us(text: str) -> int:
    """Return the instant of an ISO text; without an offset it counts as UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize("name", [None, "", "UTC", "Asia/Singapore", "Etc/GMT+12", "GMT0"])
def test_names_of_the_tzdata_package_are_found(name: str | None) -> None:
    assert find_zone(name).key == (name or "UTC")
    assert find_zone(name) is find_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Olympus",
        "asia/singapore",
        "ASIA/SINGAPORE",
        " UTC",
        "UTC ",
        "localtime",
        "posix/UTC",
        "../zones",
        "Asia/../UTC",
        "/etc/passwd",
        "Asia",
        "zones",
        "+08:00",
        "UTC\0",
        "Ａsia/Tokyo",
        "\ud800",
        "A" * 100_000,
    ],
)
def test_any_other_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^timezone must be a valid IANA timezone$"):
        find_zone(name)


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("UTC", "2025-04-01T00:00", "2025-04-01T00:00Z"),
        ("Asia/Kolkata", "2025-04-01T00:00", "2025-03-31T18:30Z"),
        ("Asia/Kathmandu", "2025-04-01T00:00", "2025-03-31T18:15Z"),
        ("America/New_York", "2025-03-09T01:59:59.999999", "2025-03-09T06:59:59.999999Z"),
        ("America/New_York", "2025-03-09T02:00", "2025-03-09T07:00Z"),
        ("America/New_York", "2025-03-09T02:30:15.5", "2025-03-09T07:00Z"),
        ("America/New_York", "2025-03-09T03:00", "2025-03-09T07:00Z"),
        ("America/New_York", "2025-11-02T01:30", "2025-11-02T05:30Z"),
        ("America/New_York", "2025-11-02T02:00", "2025-11-02T07:00Z"),
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00Z"),
        ("America/Havana", "2024-11-03T00:00", "2024-11-03T04:00Z"),
        ("Australia/Lord_Howe", "2024-10-06T02:10", "2024-10-05T15:30Z"),
        ("Pacific/Apia", "2011-12-30T00:00", "2011-12-30T10:00Z"),
        ("Pacific/Apia", "2011-12-30T23:59", "2011-12-30T10:00Z"),
        ("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00Z"),
    ],
)
def test_wall_times_repeated_mean_the_first_and_skipped_the_end_of_the_gap(
    zone: str, wall: str, instant: str
) -> None:
    assert to_instant(us(wall), find_zone(zone)) == us(instant)


@given(
    zone=st.sampled_from(ZONES),
    wall=st.datetimes(min_value=datetime(1970, 1, 3), max_value=datetime(2040, 1, 1)),
)
def test_a_wall_time_is_the_first_instant_whose_clock_is_not_behind_it(
    zone: str, wall: datetime
) -> None:
    zone_info = find_zone(zone)
    wall_us = us(wall.isoformat())
    instant = to_instant(wall_us, zone_info)
    shown = instant + offset_at(instant, zone_info)
    just_before = instant - 1 + offset_at(instant - 1, zone_info)
    assert shown >= wall_us > just_before
    if shown == wall_us:
        earlier = range(instant - 3 * HOUR_US, instant, 15 * MINUTE_US)
        assert all(each + offset_at(each, zone_info) != wall_us for each in earlier)


def test_days_have_23_or_25_hours_where_clocks_change() -> None:
    zone = find_zone("America/New_York")
    spring = local_days(us("2025-03-08T05:00Z"), us("2025-03-11T04:00Z"), zone)
    autumn = local_days(us("2025-11-01T04:00Z"), us("2025-11-04T05:00Z"), zone)
    assert [(day.end_us - day.start_us) // HOUR_US for day in spring] == [24, 23, 24]
    assert [(day.end_us - day.start_us) // HOUR_US for day in autumn] == [24, 25, 24]


def test_a_day_that_the_zone_skipped_is_absent() -> None:
    days = local_days(us("2011-12-29T10:00Z"), us("2011-12-31T10:00Z"), find_zone("Pacific/Apia"))
    assert [day.date for day in days] == [date(2011, 12, 29), date(2011, 12, 31)]
    assert [day.end_us - day.start_us for day in days] == [DAY_US, DAY_US]


def test_edge_days_hold_only_what_is_in_the_range() -> None:
    days = local_days(
        us("2025-04-01T20:00Z"), us("2025-04-02T20:00:00.000001Z"), find_zone("Asia/Kathmandu")
    )
    assert days == [
        (date(2025, 4, 2), us("2025-04-01T20:00Z"), us("2025-04-02T18:15Z")),
        (date(2025, 4, 3), us("2025-04-02T18:15Z"), us("2025-04-02T20:00:00.000001Z")),
    ]


def test_an_empty_range_has_no_days() -> None:
    assert local_days(us("2025-04-01T00:00Z"), us("2025-04-01T00:00Z"), find_zone("UTC")) == []


def test_the_ends_of_the_calendar_do_not_overflow() -> None:
    for zone in ("Pacific/Apia", "Etc/GMT+12", "UTC"):
        first, last = us("0001-01-01T00:00+14:00"), us("9999-12-31T23:59-12:00")
        assert local_days(first, first + 3 * DAY_US, find_zone(zone))[0].date.year == 1
        assert local_days(last - 3 * DAY_US, last, find_zone(zone))[-1].date == date.max
        to_instant(first, find_zone(zone))
        to_instant(last, find_zone(zone))


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(min_value=datetime(1970, 1, 3), max_value=datetime(2040, 1, 1)),
    length=st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=800)),
)
def test_days_cover_a_range_without_gap_or_overlap(
    zone: str, start: datetime, length: timedelta
) -> None:
    start_us = us(start.isoformat())
    end_us = start_us + length // timedelta(microseconds=1)
    zone_info = find_zone(zone)
    days = local_days(start_us, end_us, zone_info)
    assert days[0].start_us == start_us
    assert days[-1].end_us == end_us
    for former, latter in pairwise(days):
        assert former.end_us == latter.start_us
        assert former.date < latter.date
        assert latter.start_us == to_instant(us(latter.date.isoformat()), zone_info)
