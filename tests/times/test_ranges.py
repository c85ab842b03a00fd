"""Ranges of queries: what is read, what is refused, and with which words."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.ranges import (
    TimeRange,
    check_range,
    count_buckets,
    day_bounds,
    parse_instant,
    parse_range,
)
from vumeter_server.times.units import DAY_US, HOUR_US
from vumeter_server.times.zones import find_zone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_A_DATE = "must be a valid ISO 8601 date string"


def us(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2025-04-01", "UTC", "2025-04-01T00:00Z"),
        ("2025-04-01", "Asia/Singapore", "2025-03-31T16:00Z"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00Z"),
        ("2025-04-01T10:00", "UTC", "2025-04-01T10:00Z"),
        ("2025-04-01 10:00", "UTC", "2025-04-01T10:00Z"),
        ("2025-04-01T10:00:01", "Asia/Kolkata", "2025-04-01T04:30:01Z"),
        ("2025-04-01T10:00:01.5", "UTC", "2025-04-01T10:00:01.5Z"),
        ("2025-04-01T10:00:01.000001", "UTC", "2025-04-01T10:00:01.000001Z"),
        ("2025-04-01T10:00Z", "Asia/Kolkata", "2025-04-01T10:00Z"),
        ("2025-04-01T10:00:00.000Z", "UTC", "2025-04-01T10:00Z"),
        ("2025-04-01T10:00+08:00", "UTC", "2025-04-01T02:00Z"),
        ("2025-04-01T10:00:00-03:30", "Asia/Kolkata", "2025-04-01T13:30Z"),
        ("2025-04-01T10:00:00 08:00", "UTC", "2025-04-01T02:00Z"),
        ("2025-04-01 10:00 08:00", "UTC", "2025-04-01T02:00Z"),
        ("2024-02-29", "UTC", "2024-02-29T00:00Z"),
        ("0001-01-01", "UTC", "0001-01-01T00:00Z"),
        ("9999-12-31", "UTC", "9999-12-31T00:00Z"),
    ],
)
def test_dates_and_date_times_are_read(text: str, zone: str, expected: str) -> None:
    assert parse_instant(text, find_zone(zone), "start_date") == us(expected)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2025",
        "2025-04",
        "2025-4-1",
        "20250401",
        "2025-W14-2",
        "2025-091",
        "2025-02-30",
        "2025-02-29",
        "2025-13-01",
        "0000-01-01",
        "10000-01-01",
        "-2025-04-01",
        "2025-04-01T",
        "2025-04-01T10",
        "2025-04-01T10:0",
        "2025-04-01T24:00",
        "2025-04-01T10:60",
        "2025-04-01T10:00:60",
        "2025-04-01T10:00:00.",
        "2025-04-01T10:00:00.1234567",
        "2025-04-01T10:00:00,5",
        "2025-04-01t10:00",
        "2025-04-01T10:00z",
        "2025-04-01Z",
        "2025-04-01+08:00",
        "2025-04-01T10:00+8:00",
        "2025-04-01T10:00+0800",
        "2025-04-01T10:00+08",
        "2025-04-01T10:00+24:00",
        "2025-04-01T10:00+08:60",
        "2025-04-01T10:00  08:00",
        "2025-04-01  10:00",
        " 2025-04-01",
        "2025-04-01 ",
        "2025-04-01\n",
        "٢٠٢٥-٠٤-٠١",
        "1743465600",
        "2025-04-01T10:00:00Z" * 10_000,
        "\ud800",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_instant(text, find_zone("UTC"), "start_date")
    assert caught.value.message == f"start_date {NOT_A_DATE}"


@given(st.text(max_size=30))
def test_no_text_raises_anything_but_invalid_argument(text: str) -> None:
    with suppress(InvalidArgument):
        parse_range(text, "2025-04-02", "Asia/Kathmandu")


@pytest.mark.parametrize(
    ("start", "end", "timezone", "messages"),
    [
        (None, None, None, ["start_date must be a string", "end_date must be a string"]),
        ("", "2025-04-02", None, ["start_date must be a string"]),
        ("2025-04-01", None, None, ["end_date must be a string"]),
        ("nope", "nope", None, [f"start_date {NOT_A_DATE}", f"end_date {NOT_A_DATE}"]),
        (
            "2025-04-01",
            "nope",
            "Mars/Olympus",
            [f"end_date {NOT_A_DATE}", "timezone must be a valid IANA timezone"],
        ),
        (
            "2025-04-02",
            "2025-04-01",
            None,
            ["end_date must not be before the start of the range"],
        ),
        (
            "2015-01-01",
            "2025-04-01",
            None,
            ["end_date must be at most 3,660 days after the start"],
        ),
        (
            "0001-01-01",
            "9999-12-31",
            "Pacific/Apia",
            ["end_date must be at most 3,660 days after the start"],
        ),
    ],
)
def test_every_wrong_parameter_is_named(
    start: str | None, end: str | None, timezone: str | None, messages: list[str]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_range(start, end, timezone)
    assert [each.sentence for each in caught.value.violations] == messages
    assert caught.value.message == messages[0]


def test_one_day_in_a_half_hour_zone() -> None:
    assert parse_range("2025-04-01", "2025-04-02", "Asia/Kolkata") == TimeRange(
        start_us=us("2025-03-31T18:30Z"), end_us=us("2025-04-01T18:30Z")
    )


def test_an_offset_outranks_the_timezone() -> None:
    assert parse_range("2025-04-01T00:00Z", "2025-04-02", "Asia/Kolkata") == TimeRange(
        start_us=us("2025-04-01T00:00Z"), end_us=us("2025-04-01T18:30Z")
    )


def test_equal_ends_are_an_empty_range() -> None:
    time_range = parse_range("2025-04-01", "2025-04-01", "UTC")
    assert time_range.is_empty
    assert day_bounds(time_range, find_zone("UTC")) == []


def test_exactly_3660_days_are_accepted() -> None:
    assert check_range(0, 3_660 * DAY_US) == TimeRange(start_us=0, end_us=3_660 * DAY_US)
    with pytest.raises(InvalidArgument, match="end_time must be at most"):
        check_range(0, 3_660 * DAY_US + 1, "end_time")


def test_3660_days_in_a_zone_with_clock_changes() -> None:
    zone = find_zone("America/New_York")
    days = day_bounds(parse_range("2016-01-01", "2026-01-01", "America/New_York"), zone)
    assert len(days) == 3_653


@pytest.mark.parametrize(
    ("length", "step", "expected"),
    [
        (0, HOUR_US, 0),
        (1, HOUR_US, 1),
        (HOUR_US, HOUR_US, 1),
        (HOUR_US + 1, HOUR_US, 2),
        (DAY_US, 2**62, 1),
        (11_000 * HOUR_US, HOUR_US, 11_000),
    ],
)
def test_a_cut_bucket_counts(length: int, step: int, expected: int) -> None:
    assert count_buckets(TimeRange(start_us=7, end_us=7 + length), step) == expected


def test_more_than_11000_buckets_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^step must be longer: .* more than 11,000 buckets"):
        count_buckets(TimeRange(start_us=0, end_us=11_000 * HOUR_US + 1), HOUR_US)
