"""Distributions: many values of a histogram in one point, as counts of buckets.

A distribution is stored as a point whose value is its sum; what is here lies beside the points. All
buckets have one form, whatever form they came in: `count` values above `lower`, up to and with
`upper`. A bucket whose bounds are equal holds that very value.

Percentiles are computed of values and buckets together, by nearest rank. The value of that rank is
at least the one of the same rank among all lower bounds, and at most the one among all upper
bounds; that is what `percentile` tells as its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FINEST_SCALE: Final = 7
"""Exponential buckets are at most this fine: their middle is off by at most 0.27 %."""
FEW_VALUES: Final = 3
"""So few values follow exactly from their sum, smallest and greatest."""
CURVE_STEPS: Final = 32
"""In so many steps values are spread that all lie in one bucket."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Distributions:
    """Those of some points that are distributions, in the order of the points.

    Attributes:
        positions: int64[distributions], the index of each one's point, ascending.
        counts: int64[distributions], how many values each has, at least 1.
        minima, maxima: float64[distributions]; where none was given, the outermost bound.
        starts: int64[distributions + 1], where each one's buckets begin.
        lower, upper: float64[buckets], the bounds, ascending in each distribution; the outermost
            may be infinite.
        weights: int64[buckets], how many values each has, at least 1.
    """

    positions: Integers
    counts: Integers
    minima: Floats
    maxima: Floats
    starts: Integers
    lower: Floats
    upper: Floats
    weights: Integers

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def size_bytes(self) -> int:
        """What the arrays take."""
        return 40 * len(self.positions) + 24 * len(self.lower)

    def taken(self, chosen: Integers, points: int) -> Distributions | None:
        """Return those of some of `points` points, in the order chosen; None if there are none.

        `chosen` are the indexes of points, each at most once.
        """
        places = np.full(points, -1, np.int64)
        places[chosen] = np.arange(len(chosen))
        positions = places[self.positions]
        rows = np.flatnonzero(positions >= 0)
        if not len(rows):
            return None
        if len(rows) == len(positions) and len(chosen) == points and _ascend(positions):
            return self._at(positions)
        return self._rows(rows[np.argsort(positions[rows])])._at(np.sort(positions[rows]))

    def moved(self, by: int) -> Distributions:
        """Return them for points before which others were put."""
        return self._at(self.positions + by)

    def between(self, start: int, stop: int) -> Distributions | None:
        """Return those of points [start, stop); None if there are none."""
        first, end = np.searchsorted(self.positions, (start, stop)).tolist()
        if first == end:
            return None
        if end - first == len(self):
            return self.moved(-start)
        return self._rows(np.arange(first, end)).moved(-start)

    def _at(self, positions: Integers) -> Distributions:
        return Distributions(
            positions=positions,
            counts=self.counts,
            minima=self.minima,
            maxima=self.maxima,
            starts=self.starts,
            lower=self.lower,
            upper=self.upper,
            weights=self.weights,
        )

    def _rows(self, rows: Integers) -> Distributions:
        lengths = np.diff(self.starts)[rows]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        buckets = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], lengths)
        return Distributions(
            positions=self.positions[rows],
            counts=self.counts[rows],
            minima=self.minima[rows],
            maxima=self.maxima[rows],
            starts=starts,
            lower=self.lower[buckets],
            upper=self.upper[buckets],
            weights=self.weights[buckets],
        )

    def value_counts(self, points: int) -> Integers:
        """Return how many values each of `points` points is: int64[points]."""
        counts = np.ones(points, np.int64)
        counts[self.positions] = self.counts
        return counts


def _ascend(positions: Integers) -> bool:
    return bool((positions[1:] > positions[:-1]).all())


def joined(parts: Sequence[tuple[Distributions | None, int]]) -> Distributions | None:
    """Put distributions one after another, each with how many points it is of; None for none."""
    moved = []
    points = 0
    for part, count in parts:
        if part is not None and len(part):
            moved.append(part.moved(points) if points else part)
        points += count
    if len(moved) <= 1:
        return moved[0] if moved else None
    lengths = np.concatenate([np.diff(part.starts) for part in moved])
    return Distributions(
        positions=np.concatenate([part.positions for part in moved]),
        counts=np.concatenate([part.counts for part in moved]),
        minima=np.concatenate([part.minima for part in moved]),
        maxima=np.concatenate([part.maxima for part in moved]),
        starts=np.concatenate(([0], np.cumsum(lengths))),
        lower=np.concatenate([part.lower for part in moved]),
        upper=np.concatenate([part.upper for part in moved]),
        weights=np.concatenate([part.weights for part in moved]),
    )


def value_counts(distributions: Distributions | None, points: int) -> Integers | None:
    """Return how many values each point is; None if each is one."""
    return None if distributions is None else distributions.value_counts(points)


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
    exact = values[plain]
    return Elements(
        points=np.concatenate([plain, distributions.positions[of_buckets.points]]),
        lower=np.concatenate([exact, of_buckets.lower]),
        upper=np.concatenate([exact, of_buckets.upper]),
        estimates=np.concatenate([exact, of_buckets.estimates]),
        weights=np.concatenate([np.ones(len(plain), np.int64), of_buckets.weights]),
    )


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
    return Elements(
        points=np.concatenate([rows[others], points]),
        lower=np.concatenate([lower[others], lower[alone][steps]]),
        upper=np.concatenate([upper[others], upper[alone][steps]]),
        estimates=np.concatenate([estimates[others], spread]),
        weights=np.concatenate([distributions.weights[others], weights]),
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
