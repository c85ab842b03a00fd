"""Prefix sums over the points of one metric, for ranges whose buckets begin within intervals.

A timeseries may have as many ends of ranges as buckets, on many days. What is between two instants
of neighbouring units is a difference of these sums: no rollup interval is looked at, but for bounds
from which on there are points that are not flushed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube, PrefixSums
from vumeter_server.custom_metrics.sqlite.cache.ranges import Periods
from vumeter_server.custom_metrics.sqlite.cache.units import Unit, are_exact, parts_of
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, CELLS_A_DAY

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class MetricPointSums:
    """The flushed points of a metric on the days of a unit, and sums before them; never changed.

    Attributes:
        unit: which points these are.
        start_us: when its days begin.
        end_us: when they end.
        codes: the interned id of the metric.
        is_exact: whether the sums are; where they would be rounded, there are none.
        size_bytes: what the arrays take.
        was_used: whether it was used since the cache looked last; nothing else ever changes.
    """

    def __init__(self, unit: Unit, code: int, times_us: Integers, values: Floats) -> None:
        """Take points in any order, with their times since the epoch."""
        if len(times_us) and not (times_us[1:] >= times_us[:-1]).all():
            order = np.argsort(times_us, kind="stable")
            times_us, values = times_us[order], values[order]
        self.unit = unit
        self.start_us, self.end_us = unit.first * DAY_US, unit.end * DAY_US
        self.codes = frozenset([code])
        # Counts are known from the places of points: only the sums of values are kept.
        _, *parts = parts_of(values)
        # float64[parts, points + 1]: the sums before each point, and of all.
        sums = np.zeros((len(parts), len(values) + 1))
        np.cumsum(parts, axis=1, out=sums[:, 1:])
        self.is_exact = are_exact(sums)
        self._times = times_us
        self._sums = sums if self.is_exact else values[None]
        self.size_bytes = self._times.nbytes + self._sums.nbytes
        self.was_used = False

    @property
    def rows(self) -> int:
        """How many rows `before` returns: counts, and as many parts as there are."""
        return 1 + len(self._sums)

    @property
    def total(self) -> Floats:
        """The sums of all points: float64[rows]."""
        return np.array([len(self._times), *self._sums[:, -1]])

    def before(self, bounds_us: Integers) -> Floats:
        """Return the sums before some instants, which have to be exact: float64[rows, bounds]."""
        places = self._times.searchsorted(bounds_us)
        before = np.empty((1 + len(self._sums), len(places)))
        before[0] = places
        # All places are within the array; saying what to do with others lets numpy write to `out`.
        self._sums.take(places, axis=1, out=before[1:], mode="clip")
        return before

    def between(self, _: int, start_us: int, end_us: int) -> ExactSums:
        """Sum the points in a range within one interval; for any values."""
        start, end = self._times.searchsorted((start_us, end_us)).tolist()
        if self.is_exact:
            of_range = self._sums[:, end] - self._sums[:, start]
            return ExactSums(np.array([end - start]), list(of_range[:, None]))
        return ExactSums.of(np.zeros(end - start, np.int64), self._sums[0, start:end], 1)


def before_bounds(
    intervals: PrefixSums,
    units: Sequence[MetricPointSums],
    first_of_head: int | None,
    code: int,
    periods: Periods,
) -> Cube | None:
    """Return the sums before each bound, up to a constant; without the head's of its interval.

    Args:
        intervals: the interval sums, the metric's among them.
        units: the flushed points of the days that are cut, in order; their sums are exact.
        first_of_head: the first interval with points that are not flushed; None if there are none.
        code: the metric.
        periods: the periods.

    Returns:
        float64[1, rows, bounds], to be changed by whoever asks; None if the sums of intervals are
        asked for and not exact.
    """
    bounds_us = periods.bounds_us
    if not _hold_all(units, periods):
        first_of_head = -1
    # The head has its points behind them all, and nothing is added in their intervals.
    if first_of_head is None or periods.intervals[-1] < first_of_head:
        return _from_first_unit(units, bounds_us)
    flushed = int(periods.intervals.searchsorted(first_of_head, "right"))
    # Each unit counts on from where it begins, while nothing is left out; then each bound from its
    # interval. The first anchor is the least, the last one the greatest.
    starts = [each.unit.first * CELLS_A_DAY for each in units] if flushed else []
    anchors = intervals.before([code], np.array([*starts, *periods.intervals[flushed:]], np.int64))
    if anchors is None:
        return None
    before = np.empty((1, anchors.shape[1], len(bounds_us)))
    before[:, :, flushed:] = anchors[:, :, len(starts) :]
    begins_us = periods.intervals * CELL_US
    for number, each in enumerate(units):
        of_unit = before[0, : each.rows]
        first, end = _places(each, bounds_us)
        middle = max(first, min(flushed, end))
        if first < middle:
            before[0, :, first:middle] = anchors[0, :, number, None]
            of_unit[:, first:middle] += each.before(bounds_us[first:middle])[: len(of_unit)]
        if middle < end:
            sums = each.before(bounds_us[middle:end]) - each.before(begins_us[middle:end])
            of_unit[:, middle:end] += sums[: len(of_unit)]
    return before


def _hold_all(units: Sequence[MetricPointSums], periods: Periods) -> bool:
    """Whether units are side by side, and all bounds are on their days."""
    first, last = units[0], units[-1]
    if periods.start_us < first.start_us or last.end_us <= periods.end_us:
        return False
    return first is last or all(one.end_us == other.start_us for one, other in pairwise(units))


def _places(points: MetricPointSums, bounds_us: Integers) -> tuple[int, int]:
    """Return which bounds are on the days of a unit: from the first to before the end."""
    first, end = bounds_us.searchsorted((points.start_us, points.end_us)).tolist()
    return first, end


def _from_first_unit(units: Sequence[MetricPointSums], bounds_us: Integers) -> Cube:
    """Return the sums from the first of neighbouring units on."""
    if len(units) == 1:
        return units[0].before(bounds_us)[None]
    before = np.zeros((1, max(each.rows for each in units), len(bounds_us)))
    of_earlier = np.zeros(before.shape[1])
    for each in units:
        first, end = _places(each, bounds_us)
        before[0, : each.rows, first:end] = each.before(bounds_us[first:end])
        before[0, :, first:end] += of_earlier[:, None]
        of_earlier[: each.rows] += each.total
    return before
