"""Exact decimal arithmetic on reported numbers.

A reported number has at most 6 decimals. It is stored as a double, and summed as an integer of
millionths ("micros"), so that sums are exact, may be kept up to date by adding and subtracting, and
means round as the decimal definition says.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

MICRO = 1_000_000

# Below this, a double is closer than a quarter of a millionth to the decimal that it stands for.
_SCALES_EXACTLY = 2.0**50 / MICRO

# Wide enough for every double down to its sixth decimal.
_WIDE = Context(prec=400, rounding=ROUND_HALF_UP)


def round_reported(value: float) -> float:
    """Return a finite `value`, not negative, rounded to 6 decimals, half away from zero.

    The decimal rounded is the shortest one that reads as `value`: what its reporter wrote.
    """
    if round(value, 6) == value:
        return abs(value)  # turns -0.0 into 0.0
    return _decimal_micros(value) / MICRO


def to_micros(value: float) -> int:
    """Return the millionths of a `value` that `round_reported` gave, exactly."""
    if value < _SCALES_EXACTLY:
        return round(value * MICRO)
    return _decimal_micros(value)


def _decimal_micros(value: float) -> int:
    return int(Decimal(repr(value)).scaleb(6, _WIDE).to_integral_value(ROUND_HALF_UP, _WIDE))


def round_fraction(value: Fraction, decimals: int) -> float:
    """Return `value` rounded to `decimals`, half away from zero, as the nearest double."""
    scale: int = 10**decimals
    doubled = 2 * abs(value.numerator) * scale
    steps = (doubled + value.denominator) // (2 * value.denominator)
    return (steps if value >= 0 else -steps) / scale


def mean_of_micros(micros: int, samples: int, decimals: int) -> float:
    """Return the mean of `samples` numbers whose millionths add up to `micros`, rounded."""
    return round_fraction(Fraction(micros, samples * MICRO), decimals)


def exact(value: float) -> Fraction:
    """Return the decimal that a finite `value` prints as, as a fraction."""
    return Fraction(repr(value))
