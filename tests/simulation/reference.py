"""The metrics of an execution computed straight from their definition, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction


def half_away(value: Fraction, decimals: int) -> float:
    """Round half away from zero; the values here are never negative."""
    with localcontext() as context:
        context.prec = 800
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        return float(quotient.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def exact(value: float) -> Fraction:
    """Return the decimal that was reported."""
    return Fraction(Decimal(repr(value)))


def mean(values: Sequence[float], decimals: int) -> float | None:
    """Mean of the decimals as reported."""
    if not values:
        return None
    total = sum(map(exact, values), Fraction(0))
    return half_away(total / len(values), decimals)


def percentile(values: Sequence[float], wanted: float) -> float:
    """Linear between ranks: numpy's default method, on exact fractions."""
    ordered = sorted(map(exact, values))
    place = exact(wanted) * (len(ordered) - 1) / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return half_away(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 1)
