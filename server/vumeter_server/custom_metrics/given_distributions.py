"""Distributions as callers give them, and the one form that they become."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from vumeter_server.custom_metrics.distributions import FEW_VALUES, FINEST_SCALE, Distributions

MAX_BOUND: Final = 1e15
_MAX_EXPONENT: Final = 1_024


@dataclass(frozen=True, slots=True)
class ExponentialBuckets:
    """Bucket `offset` + i has `counts[i]` values."""

    offset: int = 0
    counts: tuple[int, ...] = ()


NO_BUCKETS: Final = ExponentialBuckets()


# One is made per histogram. It is not frozen, since that would make it three times as slow to make.
@dataclass(kw_only=True, slots=True)
class GivenDistribution:
    """A distribution as a caller gives it; nobody changes it.

    Attributes:
        count: how many values there are.
        sum: their sum.
        min, max: the smallest and the greatest; None where they are not known.
        bounds, counts: explicit buckets with inclusive upper ends, one count more than bounds; none
            of both is one bucket of everything.
        scale: that of exponential buckets; None if the buckets are explicit. Bucket i is (b^i,
            b^(i+1)] with b = 2^(2^-scale).
        zero_count, positive, negative: the exponential buckets.
    """

    count: int
    sum: float
    min: float | None = None
    max: float | None = None
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    scale: int | None = None
    zero_count: int = 0
    positive: ExponentialBuckets = NO_BUCKETS
    negative: ExponentialBuckets = NO_BUCKETS


Bucket = tuple[float, float, int]
"""Lower and upper bound, and how many values."""


def buckets_of(given: GivenDistribution) -> list[Bucket]:
    """Return the buckets that have a value, ascending."""
    if given.scale is not None:
        return _exponential_buckets(at_scale(given, min(given.scale, FINEST_SCALE)))
    if not given.bounds:
        return [(or_else(given.min, -math.inf), or_else(given.max, math.inf), given.count)]
    edges = (-math.inf, *given.bounds, math.inf)
    return [
        (only_value(lower, upper), upper, count)
        for (lower, upper), count in zip(itertools.pairwise(edges), given.counts, strict=True)
        if count
    ]


def only_value(lower: float, upper: float) -> float:
    """Return the lower bound of a bucket; the upper one if no other value is in between."""
    return upper if lower == math.nextafter(upper, -math.inf) else lower


def _exponential_buckets(given: GivenDistribution) -> list[Bucket]:
    scale = given.scale or 0
    negative = [
        (-bound_of(scale, index + 1), -bound_of(scale, index), count)
        for index, count in enumerate(given.negative.counts, given.negative.offset)
        if count
    ]
    zero = [(0.0, 0.0, given.zero_count)] if given.zero_count else []
    positive = [
        (bound_of(scale, index), bound_of(scale, index + 1), count)
        for index, count in enumerate(given.positive.counts, given.positive.offset)
        if count
    ]
    return [*reversed(negative), *zero, *positive]


@lru_cache(maxsize=65_536)
def bound_of(scale: int, index: int) -> float:
    """Return the lower bound of bucket `index`; infinity beyond the greatest double."""
    # Indexes of one bound at two scales give one double: the product is exact.
    exponent = index * 2.0**-scale
    return math.inf if exponent >= _MAX_EXPONENT else float(2.0**exponent)


def at_scale(given: GivenDistribution, scale: int) -> GivenDistribution:
    """Return an exponential distribution with buckets of a coarser scale, or of its own."""
    by = (given.scale or 0) - scale
    if by <= 0:
        return given
    return replace(
        given,
        scale=scale,
        positive=_merged(given.positive, by),
        negative=_merged(given.negative, by),
    )


def _merged(buckets: ExponentialBuckets, by: int) -> ExponentialBuckets:
    if not buckets.counts:
        return NO_BUCKETS
    first = buckets.offset >> by
    last = (buckets.offset + len(buckets.counts) - 1) >> by
    counts = [0] * (last - first + 1)
    for index, count in enumerate(buckets.counts, buckets.offset):
        counts[(index >> by) - first] += count
    return ExponentialBuckets(first, tuple(counts))


def few_values(given: GivenDistribution) -> list[float]:
    """Return the values, ascending, if they follow from sum, min and max; else none."""
    if given.count > FEW_VALUES:
        return []
    if given.count == 1:
        return [given.sum]
    if given.min is not None and given.max is not None:
        between = [given.sum - given.min - given.max] if given.count == FEW_VALUES else []
        return [given.min, *(min(max(each, given.min), given.max) for each in between), given.max]
    known = given.min if given.min is not None else given.max
    if given.count == FEW_VALUES or known is None:
        return []
    return sorted((known, given.sum - known))


def _inner(bound: float, other: float) -> float:
    """Return the outermost bound; the only one of an open bucket."""
    return bound if math.isfinite(bound) else other


def given_of(distributions: Distributions, sums: Sequence[float]) -> list[GivenDistribution]:
    """Return distributions as a caller can give them again, with explicit buckets.

    `sums` are those of each one. What is answered of them is the same.
    """
    found = []
    for row in range(len(distributions)):
        start, stop = distributions.starts[row : row + 2].tolist()
        buckets = list(
            zip(
                distributions.lower[start:stop].tolist(),
                distributions.upper[start:stop].tolist(),
                distributions.weights[start:stop].tolist(),
                strict=True,
            )
        )
        bounds, counts = explicit_buckets(buckets)
        minimum, maximum = float(distributions.minima[row]), float(distributions.maxima[row])
        is_exact = all(lower == upper for lower, upper, _ in buckets)
        # What is only the outermost bound is none that was measured.
        knows_minimum = is_exact or minimum != _inner(*buckets[0][:2])
        knows_maximum = is_exact or maximum != _inner(*buckets[-1][1::-1])
        found.append(
            GivenDistribution(
                count=int(distributions.counts[row]),
                sum=sums[row],
                min=minimum if knows_minimum else None,
                max=maximum if knows_maximum else None,
                bounds=bounds,
                counts=counts,
            )
        )
    return found


def explicit_buckets(buckets: Sequence[Bucket]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return bounds, and one count more, of buckets that ascend and do not overlap.

    A bucket of one value begins right below it.
    """
    bounds: list[float] = []
    counts: list[int] = []
    for lower, upper, count in buckets:
        start = math.nextafter(upper, -math.inf) if lower == upper else lower
        if math.isfinite(start) and (not bounds or start > bounds[-1]):
            bounds.append(start)
            counts.append(0)
        if bounds and upper == bounds[-1]:
            counts[-1] += count
        elif math.isfinite(upper):
            bounds.append(upper)
            counts.append(count)
        else:
            return tuple(bounds), (*counts, count)
    return tuple(bounds), (*counts, 0)


def or_else(number: float | None, otherwise: float) -> float:
    """Return a number, or another one for None."""
    return otherwise if number is None else number
