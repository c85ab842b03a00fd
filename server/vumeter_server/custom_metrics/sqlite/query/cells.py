"""Functions of points by cell, a cell being a bucket of a group.

What several functions of the same points need, such as their order, is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Function, Statistic, ranks_of
from vumeter_server.custom_metrics.distribution_percentiles import (
    Elements,
    elements_of,
    percentiles,
)
from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.formats.columns import as_units
from vumeter_server.custom_metrics.sqlite.query.distinct_counts import count_distinct
from vumeter_server.custom_metrics.sqlite.query.gathered_points import GatheredPoints, narrowest

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Up to so many numbers beside those of the points, a table is faster than a sort.
TABLE_BESIDE = 65_536
# Where values are whole numbers of few decimals, which take 32 bits at most, each is sorted as one
# number with its cell, of 32 bits or 64.
PAIRS_OF_32_BITS = 1 << 32


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Computed:
    """A function by cell: `keys` ascend, and all arrays are as long.

    Attributes:
        keys: int64[cells].
        values: float64[cells].
        counts: int64[cells], of how many values, or of how many sessions, each is.
        errors: float64[cells], how far a percentile may be off; None if all are exact.
    """

    keys: Integers
    values: Floats
    counts: Integers
    errors: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ascending:
    """Values in the order of cells, and in each ascending.

    Attributes:
        numbers: the values, or their units in the low bits.
        mask: those bits; None if they are the values.
        unit: how many units are 1.
    """

    numbers: npt.NDArray[Any]
    mask: np.unsignedinteger | None = None
    unit: float = 1.0

    def at(self, places: Integers) -> Floats:
        """Return the values at some places."""
        chosen: Floats = self.numbers.take(places)
        if self.mask is not None:
            chosen = np.bitwise_and(chosen, self.mask) / self.unit
        return chosen


class Cells:
    """The points of each cell.

    Attributes:
        keys: int64[cells], ascending.
        counts: int64[cells], how many points each has.
    """

    def __init__(self, keys: npt.NDArray[Any], space: int, points: GatheredPoints) -> None:
        """Divide `points` by `keys`, integer[points], from 0 to `space` - 1."""
        self._points = points
        # Radix sort is for 16 bits, and several times as fast.
        self.keys, self._places, self.counts = numbered(keys, space)

    def compute(self, function: Function) -> Computed:
        """Return a function of each cell; of the last value, of the cells that have one."""
        distributions = self._points.distributions
        if distributions is not None and function.statistic is Statistic.LAST:
            return self._plain(distributions).compute(function)
        if distributions is not None and function.statistic is Statistic.PERCENTILE:
            values, errors = percentiles(
                self._elements, self._places_of_elements, len(self.keys), function.percent
            )
            return Computed(keys=self.keys, values=values, counts=self._values, errors=errors)
        counts = self._sessions() if function.statistic is Statistic.SESSIONS else self._values
        match function.statistic:
            case Statistic.SUM:
                values = self._totals
            case Statistic.MEAN:
                values = self._totals / counts
            case Statistic.MIN:
                smallest = self._points.values
                if distributions is not None:
                    smallest = smallest.copy()
                    smallest[distributions.positions] = distributions.minima
                values = self._extremes(np.minimum, smallest)
            case Statistic.MAX:
                greatest = self._points.values
                if distributions is not None:
                    greatest = greatest.copy()
                    greatest[distributions.positions] = distributions.maxima
                values = self._extremes(np.maximum, greatest)
            case Statistic.PERCENTILE:
                values = self._percentiles(function.percent)
            case Statistic.LAST:
                values = self._last()
            case _:
                values = counts.astype(np.float64)
        return Computed(keys=self.keys, values=values, counts=counts)

    @cached_property
    def _values(self) -> Integers:
        """How many values each cell has: a distribution has several."""
        distributions = self._points.distributions
        if distributions is None:
            return self.counts
        of_points = distributions.value_counts(len(self._points.values))
        # Doubles count exactly up to 2^53.
        return np.bincount(self._places, of_points, len(self.keys)).astype(np.int64)

    @cached_property
    def _elements(self) -> Elements:
        if self._points.distributions is None:
            raise ValueError("points without distributions have no elements")
        return elements_of(self._points.values, self._points.distributions)

    @cached_property
    def _places_of_elements(self) -> npt.NDArray[Any]:
        places: npt.NDArray[Any] = self._places[self._elements.points]
        return places

    def _plain(self, distributions: Distributions) -> Cells:
        """Return the cells of the points that are no distributions."""
        is_plain = np.ones(len(self._points.values), np.bool_)
        is_plain[distributions.positions] = False
        chosen = np.flatnonzero(is_plain)
        space = int(self.keys[-1]) + 1 if len(self.keys) else 1
        return Cells(self.keys[self._places[chosen]], space, self._points.taken(chosen))

    @cached_property
    def _totals(self) -> Floats:
        return ExactSums.of(self._places, self._points.values, len(self.keys)).totals()

    @cached_property
    def _starts(self) -> Integers:
        """Where each cell begins when points are in the order of cells."""
        starts: Integers = np.cumsum(self.counts) - self.counts
        return starts

    @cached_property
    def _ascending(self) -> Ascending:
        """The values in the order of cells, and in each ascending."""
        values = self._points.values
        if len(self.keys) <= 1:
            return Ascending(np.sort(values))
        units = as_units(values)
        if units is not None:
            # One sort of numbers takes a fifth of what the order of doubles and of cells takes, of
            # narrow ones a tenth.
            of_points, decimals = units
            bits = int(of_points.max(initial=0)).bit_length()
            is_narrow = len(self.keys) << bits <= PAIRS_OF_32_BITS
            of_pairs: type[np.unsignedinteger] = np.uint32 if is_narrow else np.uint64
            pairs: npt.NDArray[np.unsignedinteger] = self._places.astype(of_pairs)
            pairs <<= of_pairs(bits)
            pairs |= of_points.astype(of_pairs)
            pairs.sort()
            return Ascending(pairs, of_pairs((1 << bits) - 1), 10.0**decimals)
        # Equal values are the same in any order, so the first sort need not be stable.
        order = np.argsort(values)
        return Ascending(values[order[np.argsort(self._places[order], kind="stable")]])

    @cached_property
    def _order(self) -> npt.NDArray[np.intp]:
        """The order of cells."""
        return np.argsort(self._places, kind="stable")

    def _extremes(self, reduce: np.ufunc, values: Floats) -> Floats:
        if not len(self.keys):
            return values
        extremes: Floats = reduce.reduceat(values[self._order], self._starts)
        return extremes

    def _percentiles(self, percent: int | Fraction) -> Floats:
        return self._ascending.at(self._starts + ranks_of(self.counts, percent) - 1)

    def _last(self) -> Floats:
        times_us = self._points.times_us
        if times_us is None:
            raise ValueError("points were gathered without their times")
        # The sort is stable: of equal times the one recorded last comes last.
        order = np.lexsort((times_us, self._places))
        last: Floats = self._points.values[order[self._starts + self.counts - 1]]
        return last

    def _sessions(self) -> Integers:
        """Return how many distinct sessions each cell has; none where points have none."""
        sessions = self._points.sessions
        if sessions is None:
            raise ValueError("points were gathered without their sessions")
        places = self._places
        if sessions.min(initial=0) < 0:
            is_known = sessions >= 0
            places, sessions = places[is_known], sessions[is_known]
        return count_distinct(places, sessions, len(self.keys))


def numbered(codes: npt.NDArray[Any], space: int) -> tuple[Integers, npt.NDArray[Any], Integers]:
    """Number the distinct codes, integers from 0 to `space` - 1.

    Returns them, ascending; the number of each code, as narrow as may be; and how many there are of
    each.
    """
    if space > 4 * len(codes) + TABLE_BESIDE:
        distinct, numbers, counts = np.unique(codes, return_inverse=True, return_counts=True)
        numbers = numbers.astype(narrowest(len(distinct)), copy=False)
        return distinct.astype(np.int64, copy=False), numbers, counts
    if len(codes) and (codes[1:] >= codes[:-1]).all():
        starts = np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))
        lengths = np.diff(starts, append=len(codes))
        numbers = np.arange(len(starts), dtype=narrowest(len(starts))).repeat(lengths)
        return codes[starts].astype(np.int64), numbers, lengths
    counts = np.bincount(codes, minlength=1)
    distinct = np.flatnonzero(counts)
    table = np.zeros(len(counts), narrowest(len(distinct)))
    table[distinct] = np.arange(len(distinct))
    # `take` is twice as fast as an index.
    return distinct, table.take(codes), counts.take(distinct)
