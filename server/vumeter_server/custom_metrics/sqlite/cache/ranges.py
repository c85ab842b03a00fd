"""Periods of time over rollup intervals, and what of them is not whole intervals or days."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Edge:
    """Points [start_us, end_us) that are read beside whole intervals or days.

    `period` is the number of the period that it lies in, or if it is outside of whole days begins
    in.
    """

    start_us: int
    end_us: int
    period: int


# One is made per query. It is not frozen, since that would make it three times as slow to make.
@dataclass(slots=True, eq=False)
class Periods:
    """Neighbouring periods; never changed.

    Attributes:
        start_us: the first of the bounds.
        end_us: the last of the bounds.
        bounds_us: int64[periods + 1], ascending, microseconds since the epoch.
        intervals: int64[periods + 1], the number of the rollup interval that each bound lies in.
        cuts: how many of the bounds lie within their interval.
        cut_days: the days since the epoch that have such a bound, in ascending order.
    """

    start_us: int
    end_us: int
    bounds_us: Integers
    intervals: Integers
    cuts: int
    cut_days: list[int]

    @classmethod
    def one(cls, start_us: int, end_us: int) -> Periods:
        """Return one period."""
        # With two bounds Python's numbers are faster than arrays.
        first, last = start_us // CELL_US, end_us // CELL_US
        cut_days = [start_us // DAY_US] if first * CELL_US < start_us else []
        cuts = len(cut_days)
        if last * CELL_US < end_us:
            cuts += 1
            if end_us // DAY_US not in cut_days:
                cut_days.append(end_us // DAY_US)
        bounds_us = np.array((start_us, end_us), np.int64)
        intervals = np.array((first, last), np.int64)
        return cls(start_us, end_us, bounds_us, intervals, cuts, cut_days)

    @classmethod
    def between(cls, bounds_us: Integers) -> Periods:
        """Return the periods between ascending instants."""
        intervals = bounds_us // CELL_US
        (cuts,) = (bounds_us != intervals * CELL_US).nonzero()
        cut_days = []
        if len(cuts):
            days = bounds_us[cuts] // DAY_US
            cut_days = [int(days[0])]
            if len(cuts) > 1:
                cut_days += days[1:][days[1:] != days[:-1]].tolist()
        start_us, end_us = int(bounds_us[0]), int(bounds_us[-1])
        return cls(start_us, end_us, bounds_us, intervals, len(cuts), cut_days)

    @classmethod
    def regular(cls, start_us: int, end_us: int, step_us: int) -> Periods:
        """Return the periods of `step_us` from `start_us` on; the last may be shorter."""
        bounds_us = np.arange(start_us, end_us + step_us, step_us)
        bounds_us[-1] = end_us
        if step_us % CELL_US or step_us > DAY_US:
            return cls.between(bounds_us)
        # Steps of whole intervals cut all of them at the same place, so that no bound needs to be
        # looked at but the first and the last.
        step = step_us // CELL_US
        first = start_us // CELL_US
        intervals = np.arange(first, first + step * len(bounds_us), step)
        intervals[-1] = end_us // CELL_US
        cuts, cut_days = 0, []
        if start_us % CELL_US:
            cuts = len(bounds_us) - 1
            last_us = start_us + (cuts - 1) * step_us
            cut_days = list(range(start_us // DAY_US, last_us // DAY_US + 1))
        if end_us % CELL_US:
            cuts += 1
            if not cut_days or cut_days[-1] != end_us // DAY_US:
                cut_days.append(end_us // DAY_US)
        return cls(start_us, end_us, bounds_us, intervals, cuts, cut_days)

    def __len__(self) -> int:
        return len(self.bounds_us) - 1

    @property
    def cut_intervals(self) -> list[int]:
        """The intervals that have a bound within them, in ascending order; each for each bound."""
        is_cut = self.bounds_us != self.intervals * CELL_US
        intervals: list[int] = self.intervals[is_cut].tolist()
        return intervals

    @property
    def whole(self) -> Integers:
        """The first whole interval of each period, and the end of the last: int64[2 * periods]."""
        firsts = -(-self.bounds_us[:-1] // CELL_US)
        return np.stack([firsts, np.maximum(self.intervals[1:], firsts)], axis=1).reshape(-1)

    @property
    def edges(self) -> list[Edge]:
        """What of the periods is not whole intervals, in ascending order."""
        edges = []
        whole = self.whole.reshape(-1, 2) * CELL_US
        for period, (start_us, end_us) in enumerate(pairwise(self.bounds_us.tolist())):
            first_us, stop_us = whole[period].tolist()
            if end_us < first_us:
                # Both bounds lie within one interval.
                edges.append(Edge(start_us, end_us, period))
                continue
            if start_us < first_us:
                edges.append(Edge(start_us, first_us, period))
            if stop_us < end_us:
                edges.append(Edge(stop_us, end_us, period))
        return edges
