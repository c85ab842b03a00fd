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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Periods:
    """Neighbouring periods.

    Attributes:
        bounds_us: int64[periods + 1], ascending, microseconds since the epoch.
        intervals: int64[periods + 1], the number of the rollup interval that each bound lies in.
        cuts: int64[cuts], which of the bounds lie within their interval.
        cuts_us: int64[cuts], those bounds.
        cut_days: the days since the epoch that have such a bound, in ascending order.
    """

    bounds_us: Integers
    intervals: Integers
    cuts: Integers
    cuts_us: Integers
    cut_days: list[int]

    @classmethod
    def between(cls, bounds_us: Integers) -> Periods:
        """Return the periods between ascending instants."""
        intervals = bounds_us // CELL_US
        (cuts,) = (bounds_us - intervals * CELL_US).nonzero()
        cuts_us, cut_days = cuts, []
        if len(cuts):
            cuts_us = bounds_us[cuts]
            days = cuts_us // DAY_US
            cut_days = [int(days[0])]
            if len(cuts) > 1:
                cut_days += days[1:][days[1:] != days[:-1]].tolist()
        return cls(
            bounds_us=bounds_us, intervals=intervals, cuts=cuts, cuts_us=cuts_us, cut_days=cut_days
        )

    def __len__(self) -> int:
        return len(self.bounds_us) - 1

    @property
    def cut_intervals(self) -> list[int]:
        """The interval that each of `cuts` lies in."""
        intervals: list[int] = self.intervals[self.cuts].tolist()
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
