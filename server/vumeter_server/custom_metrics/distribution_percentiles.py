"""Percentiles of values and distributions together, by nearest rank, and how far they may be off.

The value of a rank is at least the one of the same rank among all lower bounds, and at most the one
among all upper bounds; that is what `percentile` returns as its error. The smallest and greatest
value of a distribution are exact where its min and max say more than its buckets do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CURVE_STEPS: Final = 32
"""In so many steps values are spread that all lie in one bucket."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Elements:
    """Values and buckets of points, an element each: what percentiles are computed of.

    Attributes:
        points: int64[elements], the point that each is of.
        lower, upper: float64[elements], between which its values are.
        estimates: float64[elements], where they are thought to be.
        weights: int64[elements], how many values it has.
    """

    points: Integers
    lower: Floats
    upper: Floats
    estimates: Floats
    weights: Integers


def elements_of(values: Floats, distributions: Distributions) -> Elements:
    """Return the elements of points: float64[points] with distributions among them."""
    is_plain = np.ones(len(values), np.bool_)
    is_plain[distributions.positions] = False
    plain = np.flatnonzero(is_plain)
    of_buckets = _of_buckets(distributions, values[distributions.positions])
    of_buckets = _with_extremes(of_buckets, distributions)
    of_points = replace(of_buckets, points=distributions.positions[of_buckets.points])
    return _joined(_exact(plain, values[plain]), of_points)


def _of_buckets(distributions: Distributions, sums: Floats) -> Elements:
    """Return an element per bucket; of a lone wide bucket some, spread so that they fit the sum."""
    lengths = np.diff(distributions.starts)
    rows = np.repeat(np.arange(len(distributions)), lengths)
    lower = np.maximum(distributions.lower, distributions.minima[rows])
    upper = np.minimum(distributions.upper, distributions.maxima[rows])
    # A smallest value that is the bound of the bucket below it is in no bucket by itself.
    lower = np.minimum(lower, upper)
    estimates = middles(lower, upper)
    is_alone = (lengths[rows] == 1) & (lower < upper)
    lower, upper = _opened(distributions, sums, rows, lower, upper)
    alone, others = np.flatnonzero(is_alone), np.flatnonzero(~is_alone)
    if not len(alone):
        return Elements(
            points=rows,
            lower=lower,
            upper=upper,
            estimates=estimates,
            weights=distributions.weights,
        )
    points, steps, weights, spread = _spread(
        rows[alone], lower[alone], upper[alone], distributions.weights[alone], sums
    )
    of_others = Elements(
        points=rows[others],
        lower=lower[others],
        upper=upper[others],
        estimates=estimates[others],
        weights=distributions.weights[others],
    )
    return _joined(
        of_others,
        Elements(
            points=points,
            lower=lower[alone][steps],
            upper=upper[alone][steps],
            estimates=spread,
            weights=weights,
        ),
    )


def _with_extremes(elements: Elements, distributions: Distributions) -> Elements:
    """Return elements in which the smallest and the greatest value of each distribution are exact.

    One value of the outermost element of each is taken out of it. Of a distribution the elements
    are side by side among those of its number, in ascending order. A min or max at a bucket's bound
    may be that bound because none was given, so it is passed over.
    """
    first, last = distributions.starts[:-1], distributions.starts[1:] - 1
    # Of a lone value, min is max.
    with_min = _within(distributions, distributions.minima, first) & (distributions.counts > 1)
    with_max = _within(distributions, distributions.maxima, last)
    smallest, greatest = np.flatnonzero(with_min), np.flatnonzero(with_max)
    order = np.argsort(elements.points, kind="stable")
    points = elements.points[order]
    weights = elements.weights.copy()
    weights[order[np.searchsorted(points, smallest, "left")]] -= 1
    weights[order[np.searchsorted(points, greatest, "right") - 1]] -= 1
    left = np.flatnonzero(weights)
    others = Elements(
        points=elements.points[left],
        lower=elements.lower[left],
        upper=elements.upper[left],
        estimates=elements.estimates[left],
        weights=weights[left],
    )
    return _joined(
        _exact(smallest, distributions.minima[smallest]),
        others,
        _exact(greatest, distributions.maxima[greatest]),
    )


def _within(
    distributions: Distributions, values: Floats, buckets: Integers
) -> npt.NDArray[np.bool_]:
    """Return which values are within one bucket each, and not at its bounds."""
    return (distributions.lower[buckets] < values) & (values < distributions.upper[buckets])


def _exact(points: Integers, values: Floats) -> Elements:
    """Return an element for each of some values."""
    weights = np.ones(len(values), np.int64)
    return Elements(points=points, lower=values, upper=values, estimates=values, weights=weights)


def _joined(*parts: Elements) -> Elements:
    """Return the elements of all parts, one behind the other."""
    return Elements(
        points=np.concatenate([each.points for each in parts]),
        lower=np.concatenate([each.lower for each in parts]),
        upper=np.concatenate([each.upper for each in parts]),
        estimates=np.concatenate([each.estimates for each in parts]),
        weights=np.concatenate([each.weights for each in parts]),
    )


def _opened(
    distributions: Distributions, sums: Floats, rows: Integers, lower: Floats, upper: Floats
) -> tuple[Floats, Floats]:
    """Return the bounds of buckets, of open ones without a min or max as far as the sum allows.

    One value of such a bucket has at most what the sum leaves if all others are at their bound. Of
    a distribution that is open at both ends that is a guess: nothing bounds its values.
    """
    above = np.isposinf(distributions.upper) & (distributions.maxima[rows] <= distributions.lower)
    below = np.isneginf(distributions.lower) & (distributions.minima[rows] >= distributions.upper)
    if not (above.any() or below.any()):
        return lower, upper
    least = np.bincount(rows, distributions.weights * lower, len(sums))
    most = np.bincount(rows, distributions.weights * upper, len(sums))
    more, less = np.maximum(sums - least, 0)[rows], np.maximum(most - sums, 0)[rows]
    return np.where(below, lower - less, lower), np.where(above, upper + more, upper)


def _spread(
    rows: Integers, lower: Floats, upper: Floats, counts: Integers, sums: Floats
) -> tuple[Integers, Integers, Integers, Floats]:
    """Spread the values of lone buckets as lower + (upper - lower) * u^a, with a from the mean.

    Measured on the latencies of calls in a bucket from 0 to 5 seconds: the 95th percentile of 8 to
    20 values is off by -6 to 14 %, where equal distances give 70 to 550 %.
    """
    steps = np.minimum(counts, CURVE_STEPS)
    buckets = np.repeat(np.arange(len(rows)), steps)
    ends = np.cumsum(steps)
    places = np.arange(len(buckets)) - np.repeat(ends - steps, steps)
    # As many values as there are, in steps whose numbers differ by at most one.
    weights = (places + 1) * counts[buckets] // steps[buckets]
    weights -= places * counts[buckets] // steps[buckets]
    width = upper - lower
    mean = np.clip(sums[rows] / counts, lower + width / 1_000, upper - width / 1_000)
    power = width / (mean - lower) - 1
    fraction = places / np.maximum(steps[buckets] - 1, 1)
    values = lower[buckets] + width[buckets] * fraction ** power[buckets]
    return rows[buckets], buckets, weights, values


def middles(lower: Floats, upper: Floats) -> Floats:
    """Return the middle of buckets: that with the least relative error where the signs are equal.

    It is 2 l u / (l + u), off by (u - l) / (u + l) of the value at most; else the mean of both.
    """
    sums = lower + upper
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = 2 * lower * (upper / sums)
    return np.where(lower * upper > 0, harmonic, sums / 2)


def percentiles(
    elements: Elements, cells: npt.NDArray[Any], count: int, percent: int | Fraction
) -> tuple[Floats, Floats]:
    """Return a percentile of each cell, and how far it may be off: float64[cells] each.

    `cells`, integers of the elements, are from 0 to `count` - 1; every cell has an element.
    """
    totals = np.bincount(cells, elements.weights, count).astype(np.int64)
    ranks = -(-totals * percent.numerator // (100 * percent.denominator))
    lower, upper, values = (
        _of_rank(bound, elements.weights, cells, totals, ranks)
        for bound in (elements.lower, elements.upper, elements.estimates)
    )
    values = np.clip(values, lower, upper)
    return values, np.maximum(upper - values, values - lower)


def _of_rank(
    values: Floats, weights: Integers, cells: npt.NDArray[Any], totals: Integers, ranks: Integers
) -> Floats:
    """Return the value of a rank, from 1, of each cell, each value counted by its weight."""
    order = np.lexsort((values, cells))
    before = np.cumsum(totals) - totals
    chosen = np.searchsorted(np.cumsum(weights[order]), before + ranks, "left")
    found: Floats = values[order][chosen]
    return found


def percentile(
    values: Floats, distributions: Distributions, percent: int | Fraction
) -> tuple[float, float]:
    """Return a percentile of points, and how far it may be off."""
    elements = elements_of(values, distributions)
    cells = np.zeros(len(elements.weights), np.int64)
    found, errors = percentiles(elements, cells, 1, percent)
    return float(found[0]), float(errors[0])
