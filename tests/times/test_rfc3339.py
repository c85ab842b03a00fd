"""RFC 3339 times of recorded bodies and of answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.rfc3339 import format_rfc3339, parse_rfc3339, read_rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2025-04-01T00:00:00Z", 1_743_465_600_000_000),
        ("2025-04-01t00:00:00z", 1_743_465_600_000_000),
        ("2025-04-01T08:00:00+08:00", 1_743_465_600_000_000),
        ("2025-03-31T20:30:00-03:30", 1_743_465_600_000_000),
        ("2025-04-01T00:00:00-00:00", 1_743_465_600_000_000),
        ("2025-04-01T00:00:00.5Z", 1_743_465_600_500_000),
        ("2025-04-01T00:00:00.123456Z", 1_743_465_600_123_456),
        ("2025-04-01T00:00:00.123456999Z", 1_743_465_600_123_456),
        ("2025-04-01T00:00:00.123456999999999999Z", 1_743_465_600_123_456),
    ],
)
def test_times_with_an_offset_are_read_to_the_microsecond(text: str, expected: int) -> None:
    assert parse_rfc3339(text, "timestamp") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2025-04-01",
        "2025-04-01T00:00:00",
        "2025-04-01T00:00Z",
        "2025-04-01 00:00:00Z",
        "2025-04-01T00:00:00+0800",
        "2025-04-01T00:00:00+08",
        "2025-04-01T00:00:00 08:00",
        "2025-04-01T00:00:00+24:00",
        "2025-04-01T00:00:00+08:60",
        "2025-04-01T00:00:00,5Z",
        "2025-04-01T00:00:00.Z",
        "2025-04-01T24:00:00Z",
        "2025-04-01T00:00:60Z",
        "2025-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "20250401T000000Z",
        "2025-W14-2T00:00:00Z",
        "2025-04-01T00:00:00Z\n",
        "２025-04-01T00:00:00Z",
        "\ud800",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_rfc3339(text, "points[3].timestamp")
    assert caught.value.message == (
        "points[3].timestamp must be an RFC 3339 time with an offset, such as 2025-04-01T10:00:00Z"
    )


@pytest.mark.parametrize(
    ("instant", "decimals", "expected"),
    [
        (0, None, "1970-01-01T00:00:00Z"),
        (-1, None, "1969-12-31T23:59:59.999999Z"),
        (1_743_465_600_000_000, None, "2025-04-01T00:00:00Z"),
        (1_743_465_600_500_000, None, "2025-04-01T00:00:00.5Z"),
        (1_743_465_610_000_000, None, "2025-04-01T00:00:10Z"),
        (1_743_465_600_000_000, 3, "2025-04-01T00:00:00.000Z"),
        (1_743_465_600_999_999, 3, "2025-04-01T00:00:00.999Z"),
        (1_743_465_600_999_999, 0, "2025-04-01T00:00:00Z"),
        (1_743_465_600_000_001, 6, "2025-04-01T00:00:00.000001Z"),
        (-(2**63), None, "0001-01-01T00:00:00Z"),
        (2**63, None, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_instants_print_in_utc(instant: int, decimals: int | None, expected: str) -> None:
    assert format_rfc3339(instant, decimals=decimals) == expected


@given(
    st.datetimes(
        min_value=datetime(1, 1, 3),
        max_value=datetime(9999, 12, 29),
        timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
    )
)
def test_what_python_prints_is_read_and_printed_back(moment: datetime) -> None:
    instant = (moment - EPOCH) // timedelta(microseconds=1)
    assert read_rfc3339(moment.isoformat()) == instant
    assert read_rfc3339(format_rfc3339(instant)) == instant
    assert read_rfc3339(format_rfc3339(instant, decimals=6)) == instant
