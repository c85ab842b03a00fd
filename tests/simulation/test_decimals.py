from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation.reference import half_away

from vumeter_server.simulation.decimals import (
    mean_of_micros,
    round_fraction,
    round_reported,
    to_micros,
)

reported = st.floats(min_value=0, allow_infinity=False, allow_nan=False)


def decimal_micros(value: float) -> int:
    with localcontext() as context:
        context.prec = 800
        return int(Decimal(repr(value)).scaleb(6).to_integral_value(ROUND_HALF_UP))


@given(reported)
def test_a_reported_number_is_rounded_to_six_decimals_half_away_from_zero(value: float) -> None:
    assert to_micros(round_reported(value)) == pytest.approx(decimal_micros(value), rel=1e-15)
    assert round_reported(value) == decimal_micros(value) / 1_000_000


@given(reported)
def test_rounding_a_reported_number_again_changes_nothing(value: float) -> None:
    once = round_reported(value)
    assert round_reported(once) == once


@given(st.integers(min_value=0, max_value=10**15))
def test_every_decimal_of_15_digits_keeps_its_exact_millionths(micros: int) -> None:
    assert to_micros(round_reported(micros / 1_000_000)) == micros


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (640.0, 640.0),
        (0.217, 0.217),
        (0.0000005, 0.000001),
        (0.00000049, 0.0),
        (2.0000015, 2.000002),
        (-0.0, 0.0),
        (1e300, 1e300),
        (5e-324, 0.0),
    ],
)
def test_rounding_on_arrival_by_example(value: float, rounded: float) -> None:
    assert str(round_reported(value)) == str(rounded)


@given(st.fractions(min_value=0, max_value=10**12), st.integers(min_value=0, max_value=3))
def test_fractions_round_half_away_from_zero_on_either_side(value: Fraction, decimals: int) -> None:
    assert round_fraction(value, decimals) == half_away(value, decimals)
    assert round_fraction(-value, decimals) == -half_away(value, decimals)


def test_a_mean_of_half_a_millisecond_rounds_up() -> None:
    assert mean_of_micros(to_micros(640) + to_micros(641), 2, 0) == 641.0


def test_a_mean_is_that_of_the_decimals_and_not_of_their_doubles() -> None:
    # 1.1 + 1.2 is 2.3 as decimals, so the mean 1.15 rounds to 1.2; as doubles it would be 1.1.
    assert mean_of_micros(to_micros(1.1) + to_micros(1.2), 2, 1) == 1.2
