"""Durations as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.steps import format_step, parse_step, read_step
from vumeter_server.times.units import DAY_US, HOUR_US, MILLISECOND_US, MINUTE_US, SECOND_US


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1ms", MILLISECOND_US),
        ("30s", 30 * SECOND_US),
        ("5m", 5 * MINUTE_US),
        ("1h", HOUR_US),
        ("01h", HOUR_US),
        ("1d", DAY_US),
        ("2w", 14 * DAY_US),
        ("1h30m", 90 * MINUTE_US),
        ("90m", 90 * MINUTE_US),
        ("1h90m", 150 * MINUTE_US),
        ("0h30m", 30 * MINUTE_US),
        (
            "1w2d3h4m5s6ms",
            9 * DAY_US + 3 * HOUR_US + 4 * MINUTE_US + 5 * SECOND_US + 6 * MILLISECOND_US,
        ),
        ("1m1ms", MINUTE_US + MILLISECOND_US),
    ],
)
def test_number_and_unit_once_or_several_times_are_read(text: str, expected: int) -> None:
    assert parse_step(text, default="1h") == expected


@pytest.mark.parametrize("text", [None, ""])
def test_an_absent_step_is_the_default(text: str | None) -> None:
    assert parse_step(text, default="1h") == HOUR_US


@pytest.mark.parametrize(
    "text",
    [
        "h",
        "1",
        "60",
        "0s",
        "0h0m",
        "-1h",
        "+1h",
        "1.5h",
        "1e3s",
        "30m1h",
        "1h1h",
        "1h 30m",
        " 1h",
        "1h ",
        "1h\n",
        "1H",
        "1y",
        "1M",
        "1us",
        "1hour",
        "PT1H",
        "१h",
        "99999999999999999w",
        "9" * 5_000 + "w",
        "1h" * 10_000,
        "\ud800",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_step(text, default="1h")
    assert caught.value.message == "step must be a duration such as 30s, 5m, 1h or 1d"


def test_the_longest_step_still_fits_into_64_bits_beside_an_instant() -> None:
    assert read_step(f"{2**62 // 1_000}ms") is not None
    assert read_step(f"{2**62 // 1_000 + 1}ms") is None


@given(st.integers(min_value=1, max_value=2**62 // 1_000))
def test_a_printed_step_reads_back(milliseconds: int) -> None:
    text = format_step(milliseconds * MILLISECOND_US)
    assert read_step(text) == milliseconds * MILLISECOND_US


def test_steps_print_largest_unit_first() -> None:
    assert format_step(90 * MINUTE_US) == "1h30m"
    assert format_step(4 * HOUR_US) == "4h"
    with pytest.raises(ValueError, match="positive"):
        format_step(0)
    with pytest.raises(ValueError, match="positive"):
        format_step(1)
