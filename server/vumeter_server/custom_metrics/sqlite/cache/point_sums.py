"""Prefix sums over the points of segments: what is summed between an interval and a range's end.

A range seldom ends where a rollup interval does. What is between is summed from the points of that
interval. They are cached by unit: all metrics that were asked for on one day, since most ranges
have two ends; or one metric on several days, since a timeseries may have as many ends as buckets.

The points are in order of intervals, then metrics, then time, since a query reads all its metrics
at one instant: what is near it in memory is read with it. The sums begin again at each metric of
each interval, so that one search finds what an interval has before an instant: the sum at the last
point before it. Behind the last point of each there is an entry without a value that ends it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import FRACTIONS, SCALE, ExactSums
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array, Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_columns import read_segments
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, EXACT_BELOW
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

# What the point sums of all organizations may take together.
MAX_BYTES = 64 << 20
# So many days of one metric are one unit, so that a week seldom lies in two.
DAYS_PER_UNIT = 16
# Keys are the number of the interval in the unit, below 2^11, then the metric's, below 2^15, then
# the microseconds since the interval began, of which there are fewer than 2^30 - 1.
_METRIC_BITS = 15
_TIME_BITS = 30
_TIME_MASK = (1 << _TIME_BITS) - 1
_INTERVAL_STEP = 1 << (_METRIC_BITS + _TIME_BITS)
# The ends of a range are on up to so many days.
_FEW_DAYS = 2

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Instants = TypeVar("Instants", int, Integers)


# Named tuples are made and hashed faster than dataclasses.
class Unit(NamedTuple):
    """Days [first, end) of one metric, or of all that are asked for if `code` is None."""

    code: int | None
    first: int
    end: int


def units_of(codes: Sequence[int], days: Sequence[int]) -> list[Unit]:
    """Return the units that hold the points of some metrics on some days, both in order."""
    if len(codes) == 1 and len(days) > _FEW_DAYS:
        first, last = days[0] // DAYS_PER_UNIT, days[-1] // DAYS_PER_UNIT
        numbers: Iterable[int] = range(first, last + 1)
        if last > first + 1:
            numbers = dict.fromkeys([day // DAYS_PER_UNIT for day in days])
        return [
            Unit(codes[0], number * DAYS_PER_UNIT, (number + 1) * DAYS_PER_UNIT)
            for number in numbers
        ]
    return [Unit(None, day, day + 1) for day in days]


class PointSums:
    """The flushed points of some metrics on the days of a unit; never changed.

    Attributes:
        unit: which points these are.
        codes: interned ids of the metrics that were read, those without a point among them.
        is_exact: whether the prefix sums are; where they would be rounded, there are none.
        rows: how many rows `before` returns: counts, and as many parts as there are.
        size_bytes: what the arrays take.
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
        self.codes = frozenset(codes)
        # The counts, then the values in units of 1, 2^-30, ...: float64[1 + parts, points].
        parts = _parts_of(values)
        # The sums of the points before each one, and of all: float64[1 + parts, points + 1].
        before = np.zeros((len(parts), len(keys) + 1))
        np.cumsum(parts, axis=1, out=before[:, 1:])
        self.is_exact = bool(np.abs(before[: 1 + FRACTIONS]).max(initial=0.0) < EXACT_BELOW)
        self._keys = keys
        # float64[1 + parts, entries + 1]: the sums before the first entry, and at each one. If
        # they are not exact: float64[1, points], the values.
        self._sums = values[None]
        if self.is_exact and len(keys):
            self._keys, self._sums = _begun_at_intervals(keys, before)
        elif self.is_exact:
            self._sums = before
        self._origin = np.array([unit.first * DAY_US])
        self._origin = time_keys(self._origin, self._origin // CELL_US)
        self.rows = len(self._sums)
        self.size_bytes = self._keys.nbytes + self._sums.nbytes

    def before(self, column: Integers, bound_us: int) -> Floats:
        """Return what the interval of a bound has before it; the sums have to be exact.

        Args:
            column: the metrics' `key_column`.
            bound_us: microseconds since the epoch, on a day of the unit.

        Returns:
            float64[1 + parts, metrics]: counts, then parts of ExactSums.
        """
        keys = column + _time_key(bound_us - self.unit.first * DAY_US)
        return self._sums.take(self._keys.searchsorted(keys), axis=1)

    def before_all(self, column: Integers, time_keys: Integers) -> Floats:
        """Do as `before` for some bounds, by their `time_keys`.

        Returns:
            float64[1 + parts, metrics, bounds].
        """
        keys: Integers = (column - self._origin)[:, None] + time_keys
        return self._sums.take(self._keys.searchsorted(keys), axis=1)

    def between(self, code: int, start_us: int, end_us: int) -> ExactSums:
        """Sum the points of a metric in a range within one interval; for any values."""
        key = (code << _TIME_BITS) + _time_key(start_us - self.unit.first * DAY_US)
        start, end = self._keys.searchsorted((key, key + end_us - start_us)).tolist()
        if self.is_exact:
            of_range = self._sums[:, end] - self._sums[:, start]
            return ExactSums(of_range[:1].astype(np.int64), list(of_range[1:, None]))
        return ExactSums.of(np.zeros(end - start, np.int64), self._sums[0, start:end], 1)


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
        interval what ends it; and float64[rows, entries + 1], the sums before the first entry and
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
    sums = np.zeros((len(before), len(keys_of_entries) + 1))
    sums[:, entries + 1] = before[:, 1:] - before[:, starts[number]]
    return keys_of_entries, sums


def keys_of(unit: Unit, code: int, day: int, times_us: Array) -> Integers:
    """Return what points are sorted by: the rollup interval, the metric, the time.

    `times_us` count from the beginning of the day.
    """
    keys: Integers = _time_key(times_us + (day - unit.first) * DAY_US) + (code << _TIME_BITS)
    return keys


def _time_key(since_us: Instants) -> Instants:
    """Return the part of a key that says when: of microseconds since the unit began."""
    return since_us + since_us // CELL_US * (_INTERVAL_STEP - CELL_US)


def time_keys(bounds_us: Integers, intervals: Integers) -> Integers:
    """Return the parts of keys that say when, of instants and the intervals in which they lie.

    They count from the epoch and have no room for that: only their differences within a unit mean
    something, and those are right.
    """
    return bounds_us + intervals * (_INTERVAL_STEP - CELL_US)


def _parts_of(values: Floats) -> Floats:
    """Return counts of 1, then ExactSums' parts of values, up to the last that is not 0."""
    units = np.trunc(values)
    rows = [np.ones(len(values)), units]
    rest = (values - units) * SCALE
    while rest.any() and len(rows) < 1 + FRACTIONS:
        units = np.trunc(rest)
        rows.append(units)
        rest = (rest - units) * SCALE
    if rest.any():
        rows.append(rest)
    return np.stack(rows)


def read_point_sums(
    connection: sqlite3.Connection, organization_id: int, unit: Unit, codes: Collection[int]
) -> PointSums:
    """Read the points of some metrics on the days of a unit: one statement for all metrics."""
    check_cancelled()
    found = read_segments(
        connection, organization_id, codes, (Kind.TIME, Kind.VALUE), (unit.first, unit.end)
    )
    keys, values = [np.empty(0, np.int64)], [np.empty(0)]
    for code, segments in found.items():
        for (day, _), columns in segments.items():
            keys.append(keys_of(unit, code, day, columns[Kind.TIME].astype(np.int64)))
            values.append(columns[Kind.VALUE].astype(np.float64))
    return PointSums(unit, codes, np.concatenate(keys), np.concatenate(values))


class Owner(NamedTuple):
    """Whose point sums some are: an organization's cache in one layout of its days."""

    cache: int
    layout: int


class PointSumsCache:
    """The point sums of all organizations that were used last, bounded in bytes.

    Its lock is taken last and held for no more than some steps in memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By hand: LRUCache of cachetools takes 0.5 µs to look something up, this 0.2 µs, on the
        # event loop and for each end of a range.
        self._cached: OrderedDict[tuple[Owner, Unit], PointSums] = OrderedDict()
        self.size_bytes = 0
        """How large all of them are; never above MAX_BYTES for long."""

    def get(self, owner: Owner, unit: Unit) -> PointSums | None:
        """Return the point sums of a unit; None if they are not cached."""
        key = owner, unit
        with self._lock:
            sums = self._cached.get(key)
            if sums is not None:
                self._cached.move_to_end(key)
            return sums

    def put(self, owner: Owner, sums: PointSums) -> None:
        """Keep point sums in the place of what there was of their unit."""
        with self._lock:
            self._drop((owner, sums.unit))
            if sums.size_bytes <= MAX_BYTES:
                self._cached[owner, sums.unit] = sums
                self.size_bytes += sums.size_bytes
            while self.size_bytes > MAX_BYTES:
                self._drop(next(iter(self._cached)))

    def drop(self, owner: Owner, days: Iterable[int]) -> None:
        """Drop what there is of days that have got further points."""
        touched = set(days)
        with self._lock:
            for of, unit in list(self._cached):
                if of == owner and not touched.isdisjoint(range(unit.first, unit.end)):
                    self._drop((of, unit))

    def _drop(self, key: tuple[Owner, Unit]) -> None:
        sums = self._cached.pop(key, None)
        if sums is not None:
            self.size_bytes -= sums.size_bytes


class OwnPointSums:
    """The point sums of one organization."""

    def __init__(self, cache: PointSumsCache, owner: Owner) -> None:
        self._cache = cache
        self._owner = owner

    def get(self, unit: Unit) -> PointSums | None:
        """Return the point sums of a unit; None if they are not cached."""
        return self._cache.get(self._owner, unit)
