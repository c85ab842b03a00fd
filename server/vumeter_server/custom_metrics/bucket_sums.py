"""Which distributions have numbers that surely fit their buckets, found quickly.

Nearly all do. `distribution_rules` looks closely at the others, and knows what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from vumeter_server.custom_metrics.bucket_columns import bucket_columns
from vumeter_server.custom_metrics.distributions import Floats
from vumeter_server.custom_metrics.given_distributions import (
    GivenDistribution,
    only_value,
    or_else,
)

TOLERANCE: Final = 1e-9
"""A sum that was added up in another order may be off by so much of it."""

# Added up in another order here, too, which is off by far less than half of it, up to so many.
_HALF: Final = TOLERANCE / 2
_MAX_BUCKETS: Final = 300


def surely_fits(given: GivenDistribution) -> bool:
    """Do as `fit_buckets` for one distribution with explicit buckets; False of all others.

    What needs the tolerance is left to others, too.
    """
    bounds, counts = given.bounds, given.counts
    if not bounds:
        return False
    edges = (-math.inf, *bounds, math.inf)
    used = [index for index, count in enumerate(counts) if count]
    minimum, maximum = or_else(given.min, -math.inf), or_else(given.max, math.inf)
    least = most = 0.0
    for index in used:
        upper = edges[index + 1]
        least += counts[index] * max(only_value(edges[index], upper), minimum)
        most += counts[index] * min(upper, maximum)
    first, last = edges[used[0]], edges[used[-1]]
    first_upper, last_upper = edges[used[0] + 1], edges[used[-1] + 1]
    return (
        (given.min is None or only_value(first, first_upper) <= minimum <= first_upper)
        and (given.max is None or only_value(last, last_upper) <= maximum <= last_upper)
        and least <= given.sum <= most
    )


def fit_buckets(given: Sequence[GivenDistribution]) -> Sequence[bool]:
    """Whether sum, min and max of distributions are surely those of values in their buckets.

    They have to keep the other rules.
    """
    buckets = bucket_columns(given)
    lengths = np.bincount(buckets.rows, minlength=len(given))
    starts = np.cumsum(lengths) - lengths
    ends = starts + lengths - 1
    lower, upper, counts = buckets.lower, buckets.upper, buckets.counts
    sums = np.array([each.sum for each in given], np.float64)
    minima = np.array([each.min for each in given], np.float64)
    maxima = np.array([each.max for each in given], np.float64)
    outermost = (lower[starts], upper[starts], lower[ends], upper[ends])
    slack = _HALF * np.max([_finite(bounds) for bounds in outermost], axis=0)
    fits = lengths <= _MAX_BUCKETS
    for numbers, low, high in ((minima, *outermost[:2]), (maxima, *outermost[2:])):
        fits &= np.isnan(numbers) | ((low - slack <= numbers) & (numbers <= high + slack))
    # What is not known is no limit.
    least = np.fmax(lower, np.repeat(minima, lengths)) * counts
    most = np.fmin(upper, np.repeat(maxima, lengths)) * counts
    greatest = np.maximum(_finite(lower * counts), _finite(upper * counts))
    slack = _HALF * np.maximum(np.maximum.reduceat(greatest, starts), np.abs(sums))
    fits &= np.add.reduceat(least, starts) - slack <= sums
    fits &= sums <= np.add.reduceat(most, starts) + slack
    found: list[bool] = fits.tolist()
    return found


def _finite(numbers: Floats) -> Floats:
    """Return the absolute values of what is finite, 0 for the rest."""
    return np.where(np.isfinite(numbers), np.abs(numbers), 0.0)
