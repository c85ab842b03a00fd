"""Prefix sums over the points of segments: what is summed between an interval and a range's end.

A range seldom ends where a rollup interval does. What is between is summed from the points of that
interval. They are cached by unit: all metrics that were asked for on one day, since most ranges
have two ends; or one metric on several days, since a timeseries may have as many ends as buckets.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from vumeter_server.custom_metrics.exact_sums import FRACTIONS, SCALE, ExactSums
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array, Kind, decode
from vumeter_server.custom_metrics.sqlite.formats.segments import check_together
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, EXACT_BELOW
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

# What the point sums of all organizations may take together.
MAX_BYTES = 64 << 20
# So many days of one metric are one unit. They have fewer microseconds than 2^40, and metrics are
# numbered below 2^15.
DAYS_PER_UNIT = 8
_TIME_BITS = 40
# The ends of a range are on up to so many days.
_FEW_DAYS = 2

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Unit:
    """Days [first, end) of one metric, or of all that are asked for if `code` is None."""

    code: int | None
    first: int
    end: int


def units_of(codes: Sequence[int], days: Collection[int]) -> list[Unit]:
    """Return the units that hold the points of some metrics on some days, in the order of days."""
    if len(codes) == 1 and len(days) > _FEW_DAYS:
        firsts = sorted({day // DAYS_PER_UNIT * DAYS_PER_UNIT for day in days})
        return [Unit(codes[0], first, first + DAYS_PER_UNIT) for first in firsts]
    return [Unit(None, day, day + 1) for day in sorted(days)]


class PointSums:
    """The flushed points of some metrics on the days of a unit; never changed.

    Attributes:
        unit: which points these are.
        codes: interned ids of the metrics that were read, those without a point among them.
        is_exact: whether the prefix sums are; where they would be rounded, there are none.
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
        self._points = keys
        # The values in units of 1, 2^-30, ...: float64[parts, points].
        parts = _parts_of(values)
        # The sums of the points before each one, and of all: float64[parts, points + 1].
        before = np.zeros((len(parts), len(keys) + 1))
        np.cumsum(parts, axis=1, out=before[:, 1:])
        self.is_exact = bool(np.abs(before[:FRACTIONS]).max(initial=0.0) < EXACT_BELOW)
        self._sums = before if self.is_exact else values[None]
        self.size_bytes = keys.nbytes + self._sums.nbytes

    def before(self, codes: Integers, cuts_us: Integers) -> tuple[Integers, Floats]:
        """Return what the interval that is cut has before each cut; the sums have to be exact.

        Args:
            codes: int64[metrics, 1].
            cuts_us: int64[cuts], microseconds since the epoch.

        Returns:
            Counts, int64[metrics, cuts], and sums, float64[parts, metrics, cuts].
        """
        times_us = np.array((cuts_us - cuts_us % CELL_US, cuts_us)) - self.unit.first * DAY_US
        keys = (codes << _TIME_BITS)[None] + times_us[:, None]
        starts, ends = self._points.searchsorted(keys)
        sums = self._sums.take(ends, axis=1)
        sums -= self._sums.take(starts, axis=1)
        return ends - starts, sums

    def between(self, code: int, start_us: int, end_us: int) -> ExactSums:
        """Sum the points of a metric in a range of time; for any values."""
        offset_us = self.unit.first * DAY_US - (code << _TIME_BITS)
        start, end = self._points.searchsorted((start_us - offset_us, end_us - offset_us)).tolist()
        values = self._sums[0, start:end]
        if self.is_exact:
            of_range = self._sums[:, end] - self._sums[:, start]
            return ExactSums(np.array([end - start]), list(of_range[:, None]))
        return ExactSums.of(np.zeros(end - start, np.int64), values, 1)


def keys_of(unit: Unit, code: int, day: int, times_us: Array) -> Integers:
    """Return what points are sorted by: the metric, then microseconds since the unit began.

    `times_us` count from the beginning of the day.
    """
    keys: Integers = times_us + ((code << _TIME_BITS) + (day - unit.first) * DAY_US)
    return keys


def _parts_of(values: Floats) -> Floats:
    """Return values as rows of ExactSums' parts: one if all are whole, else up to four."""
    units = np.trunc(values)
    rows = [units]
    rest = (values - units) * SCALE
    while rest.any() and len(rows) < FRACTIONS:
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
    rows = connection.execute(
        "SELECT metric_code, day, part, kind, column FROM metric_columns"
        " WHERE organization_id = ? AND metric_code IN (SELECT value FROM json_each(?))"
        " AND kind IN (?, ?) AND day >= ? AND day < ?",
        (
            organization_id,
            json.dumps(sorted(codes)),
            int(Kind.TIME),
            int(Kind.VALUE),
            unit.first,
            unit.end,
        ),
    )
    columns: dict[tuple[int, int, int], dict[int, Array]] = {}
    for code, day, part, kind, column in rows:
        columns.setdefault((code, day, part), {})[kind] = decode(column)
    keys, values = [np.empty(0, np.int64)], [np.empty(0)]
    for (code, day, part), of_part in sorted(columns.items(), key=lambda each: each[0]):
        by_kind = [{(day, part): column} for column in of_part.values()]
        check_together(by_kind[0], by_kind[1] if len(by_kind) > 1 else {})
        keys.append(keys_of(unit, code, day, of_part[Kind.TIME].astype(np.int64)))
        values.append(of_part[Kind.VALUE].astype(np.float64))
    return PointSums(unit, codes, np.concatenate(keys), np.concatenate(values))


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose point sums some are: an organization's cache in one layout of its days."""

    cache: int
    layout: int


class PointSumsCache:
    """The point sums of all organizations that were used last, bounded in bytes.

    Its lock is taken last and held for no more than some steps in memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cached: LRUCache[tuple[Owner, Unit], PointSums] = LRUCache(
            maxsize=MAX_BYTES, getsizeof=lambda sums: sums.size_bytes
        )

    def get(self, owner: Owner, unit: Unit) -> PointSums | None:
        """Return the point sums of a unit; None if they are not cached."""
        with self._lock:
            return self._cached.get((owner, unit))

    def put(self, owner: Owner, sums: PointSums) -> None:
        """Keep point sums in the place of what there was of their unit."""
        with self._lock:
            self._cached.pop((owner, sums.unit), None)
            if sums.size_bytes <= MAX_BYTES:
                self._cached[owner, sums.unit] = sums

    def drop(self, owner: Owner, days: Iterable[int]) -> None:
        """Drop what there is of days that have got further points."""
        touched = set(days)
        with self._lock:
            for of, unit in list(self._cached):
                if of == owner and not touched.isdisjoint(range(unit.first, unit.end)):
                    del self._cached[of, unit]


class HeldPointSums:
    """The point sums of one organization. What a query has found it finds again when it reads.

    Used by the thread that holds the organization's cache.
    """

    def __init__(self, cache: PointSumsCache, owner: Owner) -> None:
        self._cache = cache
        self._owner = owner
        self._found: dict[Unit, PointSums] = {}

    def get(self, unit: Unit) -> PointSums | None:
        """Return the point sums of a unit; None if they are not cached."""
        sums = self._found.get(unit)
        if sums is None:
            sums = self._cache.get(self._owner, unit)
            if sums is not None:
                self._found[unit] = sums
        return sums

    def release(self) -> None:
        """Forget what was found, so that it can be evicted."""
        self._found.clear()
