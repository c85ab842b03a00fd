"""The points around the ends of ranges on days that have too many to be kept.

Only those of the rollup intervals that an end lies within are read, of some intervals at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.point_sums import PointSums, keys_of
from vumeter_server.custom_metrics.sqlite.cache.units import Unit
from vumeter_server.custom_metrics.sqlite.formats.columns import Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_columns import read_segments
from vumeter_server.custom_metrics.sqlite.rollups.intervals import (
    CELL_US,
    CELLS_A_DAY,
    read_counts,
)
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

# The points of neighbouring intervals are held together while they are not more.
POINTS_AT_ONCE: Final = 1 << 17

Integers = npt.NDArray[np.int64]


class EdgePoints:
    """Reads the flushed points of some metrics in the intervals that ends of ranges lie within.

    It is asked in the order of time. What it reads takes the memory of `POINTS_AT_ONCE` points or
    those of one interval, and of one segment's columns meanwhile.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        organization_id: int,
        codes: Sequence[int],
        intervals: Sequence[int],
    ) -> None:
        """Take in which transaction, and for which metrics.

        Args:
            connection: a read transaction.
            organization_id: whose.
            codes: interned ids of metrics.
            intervals: those that an end lies within, in ascending order.
        """
        self._connection = connection
        self._organization_id = organization_id
        self._codes = codes
        self._intervals = np.unique(np.array(intervals, np.int64))
        self._held: tuple[int, int] = (0, 0)
        self._sums: PointSums | None = None
        self._day = -1
        # The intervals of the day that are asked for, and how many points they have, by segment,
        # then by metric.
        self._of_day: Integers = self._intervals
        self._counts: dict[int, dict[int, Integers]] = {}

    def of(self, interval: int) -> PointSums:
        """Return the points of an interval, and maybe of others."""
        first, end = self._held
        if self._sums is None or not first <= interval < end:
            # Not two at a time.
            self._sums = None
            self._sums = self._read_from(interval)
        return self._sums

    def _read_from(self, interval: int) -> PointSums:
        if interval // CELLS_A_DAY != self._day:
            self._count(interval // CELLS_A_DAY)
        points = np.zeros(len(self._of_day), np.int64)
        for by_metric in self._counts.values():
            for counts in by_metric.values():
                points += counts
        first = int(self._of_day.searchsorted(interval))
        most = np.searchsorted(points[first:].cumsum(), POINTS_AT_ONCE, side="right")
        chosen = slice(first, first + max(int(most), 1))
        self._held = interval, int(self._of_day[chosen][-1]) + 1
        return self._read(chosen)

    def _count(self, day: int) -> None:
        """Find out which intervals of a day have points, in which segments."""
        self._day, self._counts = day, {}
        self._of_day = self._intervals[self._intervals // CELLS_A_DAY == day]
        for code in self._codes:
            check_cancelled()
            for part, intervals, counts in read_counts(
                self._connection, self._organization_id, code, day
            ):
                by_interval = np.zeros(CELLS_A_DAY, np.int64)
                # A distribution may be of no value.
                by_interval[intervals] = np.maximum(counts, 1)
                of_asked = by_interval[self._of_day % CELLS_A_DAY]
                if of_asked.any():
                    self._counts.setdefault(part, {})[code] = of_asked

    def _read(self, chosen: slice) -> PointSums:
        """Read the points of some intervals of the day, segment by segment."""
        day = self._day
        is_chosen = np.zeros(CELLS_A_DAY, np.bool_)
        is_chosen[self._of_day[chosen] % CELLS_A_DAY] = True
        keys, values = [np.empty(0, np.int64)], [np.empty(0)]
        for part, by_metric in sorted(self._counts.items()):
            codes = [code for code, counts in by_metric.items() if counts[chosen].any()]
            if not codes:
                continue
            check_cancelled()
            found = read_segments(
                self._connection,
                self._organization_id,
                codes,
                (Kind.TIME, Kind.VALUE),
                (day, day + 1),
                after_part=part - 1,
                before_part=part + 1,
            )
            for code, segments in found.items():
                (columns,) = segments.values()
                times_us = columns[Kind.TIME].astype(np.int64)
                which = np.flatnonzero(is_chosen[times_us // CELL_US])
                keys.append(keys_of(code, times_us[which]))
                values.append(columns[Kind.VALUE][which].astype(np.float64))
        return PointSums(
            Unit(None, day, day + 1), self._codes, np.concatenate(keys), np.concatenate(values)
        )
