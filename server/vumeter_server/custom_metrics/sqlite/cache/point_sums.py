"""Prefix sums over the points of a day: what is summed between an interval and a range's end.

A range seldom ends where a rollup interval does. What is between is summed from the points of that
interval. Here are those of all metrics that were asked for on one day, since most ranges have two
ends; one metric on several days has `MetricPointSums`.

The points are in order of intervals, then metrics, then time, since a query reads all its metrics
at one instant: what is near it in memory is read with it. The sums begin again at each metric of
each interval, so that one search finds what an interval has before an instant: the sum at the last
point before it. Behind the last point of each there is an entry without a value that ends it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache.units import Unit, are_exact, parts_of
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US

# Keys are the number of the interval in its day, then the metric's, below 2^15, then the
# microseconds since the interval began, of which there are fewer than 2^30 - 1.
_METRIC_BITS = 15
_TIME_BITS = 30
_TIME_MASK = (1 << _TIME_BITS) - 1
_INTERVAL_STEP = 1 << (_METRIC_BITS + _TIME_BITS)

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bounds = TypeVar("Bounds", int, Integers)


class PointSums:
    """The flushed points of some metrics on one day; never changed.

    Attributes:
        unit: which points these are.
        start_us: when the day begins.
        end_us: when it ends.
        codes: interned ids of the metrics that were read, those without a point among them.
        is_exact: whether the prefix sums are; where they would be rounded, there are none.
        rows: how many rows `before` returns: counts, and as many parts as there are.
        size_bytes: what the arrays take.
        was_used: whether it was used since the cache looked last; nothing else ever changes.
    """

    def __init__(self, unit: Unit, codes: Collection[int], keys: Integers, values: Floats) -> None:
        """Take points in any order.

        Args:
            unit: which points these are.
            codes: the metrics that were read.
            keys: int64[points], see `keys_of`.
            values: float64[points].
        """
        if len(keys) and not (keys[1:] >= keys[:-1]).all():
            order = np.argsort(keys, kind="stable")
            keys, values = keys[order], values[order]
        self.unit = unit
        self.start_us, self.end_us = unit.first * DAY_US, unit.end * DAY_US
        self.codes = frozenset(codes)
        # The counts, then the values in units of 1, 2^-30, ...: float64[1 + parts, points].
        parts = parts_of(values)
        # The sums of the points before each one, and of all: float64[1 + parts, points + 1].
        before = np.zeros((len(parts), len(keys) + 1))
        np.cumsum(parts, axis=1, out=before[:, 1:])
        self.is_exact = are_exact(before[1:])
        self._keys = keys
        # float64[entries + 1, 1 + parts]: the sums before the first entry, and at each one; those
        # of an entry side by side, since they are read together. If they are not exact:
        # float64[points, 1], the values.
        self._sums = values[:, None]
        if self.is_exact and len(keys):
            self._keys, self._sums = _begun_at_intervals(keys, before)
        elif self.is_exact:
            self._sums = before.T
        self.rows = self._sums.shape[1]
        self.size_bytes = self._keys.nbytes + self._sums.nbytes
        self.was_used = False

    def before(self, column: Integers, bounds_us: Integers) -> Floats:
        """Return what the interval of each bound has before it; the sums have to be exact.

        Args:
            column: the metrics' `key_column`.
            bounds_us: int64[bounds], microseconds since the epoch, on the day.

        Returns:
            float64[metrics, bounds, 1 + parts]: counts, then parts of ExactSums.
        """
        keys = column[:, None] + _time_key(bounds_us - self.start_us)
        return self._sums.take(self._keys.searchsorted(keys), axis=0)

    def before_one(self, column: Integers, bound_us: int) -> Floats:
        """Do as `before` for one bound, faster: return float64[metrics, 1 + parts]."""
        since_us = bound_us - self.start_us
        # As `_time_key`, without a call.
        keys = column + (since_us + since_us // CELL_US * (_INTERVAL_STEP - CELL_US))
        return self._sums.take(self._keys.searchsorted(keys), axis=0)

    def between(self, code: int, start_us: int, end_us: int) -> ExactSums:
        """Sum the points of a metric in a range within one interval; for any values."""
        key = (code << _TIME_BITS) + _time_key(start_us - self.start_us)
        start, end = self._keys.searchsorted((key, key + end_us - start_us)).tolist()
        if self.is_exact:
            of_range = self._sums[end] - self._sums[start]
            return ExactSums(of_range[:1].astype(np.int64), list(of_range[1:, None]))
        return ExactSums.of(np.zeros(end - start, np.int64), self._sums[start:end, 0], 1)


@lru_cache(maxsize=1_024)
def key_column(codes: tuple[int, ...]) -> Integers:
    """Return what the keys of each metric begin with: int64[metrics], not to be changed.

    Most queries are about the same metrics as others before.
    """
    return np.array(codes, np.int64) << _TIME_BITS


def _begun_at_intervals(keys: Integers, before: Floats) -> tuple[Integers, Floats]:
    """Return the keys of entries, and sums that begin again at each interval.

    Args:
        keys: int64[points], ascending, at least one.
        before: float64[rows, points + 1], the sums before each point and behind the last.

    Returns:
        int64[entries], ascending: the points, and behind the last one of each metric of each
        interval what ends it; and float64[entries + 1, rows], the sums before the first entry and
        at each one.
    """
    ends = keys | _TIME_MASK
    starts = np.flatnonzero(np.concatenate(([True], ends[1:] != ends[:-1])))
    lengths = np.diff(starts, append=len(keys))
    number = np.repeat(np.arange(len(starts)), lengths)
    entries = np.arange(len(keys)) + number
    end_entries = starts + lengths + np.arange(len(starts))
    keys_of_entries = np.empty(len(keys) + len(starts), np.int64)
    keys_of_entries[entries] = keys
    keys_of_entries[end_entries] = ends[starts]
    sums = np.zeros((len(keys_of_entries) + 1, len(before)))
    sums[entries + 1] = (before[:, 1:] - before[:, starts[number]]).T
    return keys_of_entries, sums


def keys_of(code: int, times_us: Array) -> Integers:
    """Return what points are sorted by: the rollup interval, the metric, the time.

    `times_us` count from the beginning of the day.
    """
    keys: Integers = _time_key(times_us) + (code << _TIME_BITS)
    return keys


def _time_key(since_us: Bounds) -> Bounds:
    """Return the part of a key that says when: of microseconds since the day began."""
    return since_us + since_us // CELL_US * (_INTERVAL_STEP - CELL_US)
