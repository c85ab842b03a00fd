"""The points of units as they are read, and those that were used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np

from vumeter_server.custom_metrics.sqlite.cache.metric_point_sums import MetricPointSums
from vumeter_server.custom_metrics.sqlite.cache.point_sums import PointSums, keys_of
from vumeter_server.custom_metrics.sqlite.cache.units import Unit
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_columns import read_segments
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

# What the point sums of all organizations may take together.
MAX_BYTES = 64 << 20

UnitSums = PointSums | MetricPointSums


def read_unit(
    connection: sqlite3.Connection, organization_id: int, unit: Unit, codes: Collection[int]
) -> UnitSums:
    """Read the points of some metrics on the days of a unit: one statement for all metrics."""
    check_cancelled()
    found = read_segments(
        connection, organization_id, codes, (Kind.TIME, Kind.VALUE), (unit.first, unit.end)
    )
    places, values = [np.empty(0, np.int64)], [np.empty(0)]
    for code, segments in found.items():
        for (day, _), columns in segments.items():
            times_us = columns[Kind.TIME].astype(np.int64)
            if unit.code is None:
                places.append(keys_of(code, times_us))
            else:
                places.append(times_us + day * DAY_US)
            values.append(columns[Kind.VALUE].astype(np.float64))
    if unit.code is None:
        return PointSums(unit, codes, np.concatenate(places), np.concatenate(values))
    return MetricPointSums(unit, unit.code, np.concatenate(places), np.concatenate(values))


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
        self._cached: OrderedDict[tuple[Owner, Unit], UnitSums] = OrderedDict()
        self.size_bytes = 0
        """How large all of them are; never above MAX_BYTES for long."""

    def get(self, owner: Owner, unit: Unit) -> UnitSums | None:
        """Return the point sums of a unit; None if they are not cached."""
        key = owner, unit
        with self._lock:
            sums = self._cached.get(key)
            if sums is not None:
                self._cached.move_to_end(key)
            return sums

    def put(self, owner: Owner, sums: UnitSums) -> None:
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

    def get(self, unit: Unit) -> UnitSums | None:
        """Return the point sums of a unit; None if they are not cached."""
        return self._cache.get(self._owner, unit)
