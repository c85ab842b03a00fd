"""Distributions: many values of a histogram in one point, as counts of buckets.

A distribution is stored as a point whose value is its sum; what is here lies beside the points. All
buckets have one form, whatever form they came in: `count` values above `lower`, up to and with
`upper`. A bucket whose bounds are equal holds that very value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FINEST_SCALE: Final = 7
"""Exponential buckets are at most this fine: their middle is off by at most 0.27 %."""
FEW_VALUES: Final = 3
"""So few values follow exactly from their sum, smallest and greatest."""


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
