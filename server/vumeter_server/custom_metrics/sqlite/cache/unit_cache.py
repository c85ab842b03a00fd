"""The points of units as they are read, and those that were used last."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Set

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
# A unit of more points is not read as one: it would take half of that, and four times as much
# while it is made.
MAX_POINTS = 1 << 20

UnitSums = PointSums | MetricPointSums


def read_unit(
    connection: sqlite3.Connection,
    organization_id: int,
    unit: Unit,
    codes: Collection[int],
    others: Set[int] = frozenset(),
) -> UnitSums | None:
    """Read the points of some metrics on the days of a unit: one statement for all metrics.

    With those of `others` unless they are too many together; None if those of `codes` are.
    """
    codes = set(codes)
    if not _are_few(connection, organization_id, unit, codes | others):
        if others <= codes or not _are_few(connection, organization_id, unit, codes):
            return None
    else:
        codes |= others
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


def _are_few(
    connection: sqlite3.Connection, organization_id: int, unit: Unit, codes: Set[int]
) -> bool:
    (points,) = connection.execute(
        "SELECT sum(points) FROM metric_columns WHERE organization_id = ?"
        " AND metric_code IN (SELECT value FROM json_each(?)) AND kind = ?"
        " AND day >= ? AND day < ?",
        (organization_id, json.dumps(sorted(codes)), int(Kind.VALUE), unit.first, unit.end),
    ).fetchone()
    return (points or 0) <= MAX_POINTS


class PointSumsCache:
    """The point sums of all organizations that were used lately, bounded in bytes.

    What was used since it was last looked at is kept for one more turn, so that a use takes no
    lock: queries look up each end of their range, on the event loop. The lock is taken last and
    held for no more than some steps in memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # What is looked at next comes first.
        self._turns: OrderedDict[tuple[OwnPointSums, Unit], None] = OrderedDict()
        self.size_bytes = 0
        """How large all of them are; never above MAX_BYTES for long."""

    def put(self, own: OwnPointSums, sums: UnitSums) -> None:
        """Keep point sums in the place of what there was of their unit."""
        with self._lock:
            self._drop(own, sums.unit)
            if sums.size_bytes <= MAX_BYTES:
                own.units[sums.unit] = sums
                self._turns[own, sums.unit] = None
                self.size_bytes += sums.size_bytes
            while self.size_bytes > MAX_BYTES:
                self._look_at_next()

    def drop(self, own: OwnPointSums, days: Set[int] | None = None) -> None:
        """Drop what there is of some days of an organization; of all if none are given."""
        with self._lock:
            for unit in list(own.units):
                if days is None or not days.isdisjoint(range(unit.first, unit.end)):
                    self._drop(own, unit)

    def _look_at_next(self) -> None:
        own, unit = next(iter(self._turns))
        sums = own.units[unit]
        if sums.was_used:
            sums.was_used = False
            self._turns.move_to_end((own, unit))
        else:
            self._drop(own, unit)

    def _drop(self, own: OwnPointSums, unit: Unit) -> None:
        sums = own.units.pop(unit, None)
        if sums is not None:
            del self._turns[own, unit]
            self.size_bytes -= sums.size_bytes


class OwnPointSums:
    """The point sums of one organization in one layout of its days.

    Attributes:
        units: those that are cached. Only the cache of all organizations changes it.
    """

    __slots__ = ("_cache", "units")

    def __init__(self, cache: PointSumsCache) -> None:
        self._cache = cache
        self.units: dict[Unit, UnitSums] = {}

    def get(self, unit: Unit) -> UnitSums | None:
        """Return the point sums of a unit; None if they are not cached."""
        sums = self.units.get(unit)
        if sums is not None:
            sums.was_used = True
        return sums

    def put(self, sums: UnitSums) -> None:
        """Keep point sums in the place of what there was of their unit."""
        self._cache.put(self, sums)

    def drop_days(self, days: Iterable[int]) -> None:
        """Drop what there is of days that have got further points."""
        self._cache.drop(self, set(days))

    def drop_all(self) -> None:
        """Drop everything."""
        self._cache.drop(self)
