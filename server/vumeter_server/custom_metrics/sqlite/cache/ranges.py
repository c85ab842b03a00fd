"""Periods of time as whole rollup intervals and edges.

A period is made of the whole rollup intervals in it, and of up to two edges: the points before the
first of them and those behind the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Edges:
    """Ranges of points, in ascending order; those of Periods lie within one rollup interval each.

    Attributes:
        starts_us: int64[edges], microseconds since the epoch.
        ends_us: int64[edges].
        periods: int64[edges], the number of the period that each belongs to.
    """

    starts_us: Integers
    ends_us: Integers
    periods: Integers

    @classmethod
    def of(cls, edges: Sequence[tuple[int, int, int]]) -> Edges:
        """Return edges that are given as (start, end, period)."""
        starts_us, ends_us, periods = np.array(edges, np.int64).reshape(-1, 3).T
        return cls(starts_us, ends_us, periods)

    def __len__(self) -> int:
        return len(self.periods)

    def each(self) -> list[tuple[int, int, int]]:
        """Return each edge as (start, end, period)."""
        columns = (self.starts_us.tolist(), self.ends_us.tolist(), self.periods.tolist())
        return list(zip(*columns, strict=True))

    @cached_property
    def days(self) -> list[int]:
        """The day of each edge, since the epoch."""
        days: list[int] = (self.starts_us // DAY_US).tolist()
        return days

    @cached_property
    def intervals(self) -> list[int]:
        """The rollup interval of each edge."""
        intervals: list[int] = (self.starts_us // CELL_US).tolist()
        return intervals

    def without_repeats(self) -> list[slice | Integers]:
        """Return which edges there are, in parts in which no period occurs twice."""
        if len(self) == 1:
            return [slice(None)]
        is_second = np.zeros(len(self), np.bool_)
        is_second[1:] = self.periods[1:] == self.periods[:-1]
        return [np.flatnonzero(~is_second), np.flatnonzero(is_second)]

    def by_day(self) -> list[tuple[int, Edges]]:
        """Return the edges of each day that has some."""
        return list(self._by_day())

    def _by_day(self) -> Iterator[tuple[int, Edges]]:
        start = 0
        for day, run in groupby(self.days):
            end = start + sum(1 for _ in run)
            part = slice(start, end)
            yield day, Edges(self.starts_us[part], self.ends_us[part], self.periods[part])
            start = end


NO_EDGES = Edges.of(())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Periods:
    """Neighbouring periods.

    Attributes:
        intervals: ascending bounds in rollup intervals since the epoch: int64[periods + 1], or if
            they are interleaved int64[2 * periods], a first interval and an end for each period.
        is_interleaved: whether the end of a period is not the first interval of the next one.
        edges: what of the periods is not whole intervals.
    """

    intervals: Integers
    is_interleaved: bool
    edges: Edges

    def __len__(self) -> int:
        return len(self.intervals) // 2 if self.is_interleaved else len(self.intervals) - 1

    @classmethod
    def between(cls, bounds_us: Integers) -> Periods:
        """Return the periods between ascending instants, int64[periods + 1]."""
        floors = bounds_us // CELL_US
        rests = bounds_us - floors * CELL_US
        if not rests.any():
            return cls(intervals=floors, is_interleaved=False, edges=NO_EDGES)
        if rests[1:-1].any() or floors[0] == floors[-1]:
            return cls._of_any(bounds_us, floors, rests > 0)
        # Only the ends of the whole range are not between intervals.
        start_us, end_us = int(bounds_us[0]), int(bounds_us[-1])
        edges = []
        if rests[0]:
            floors[0] += 1
            edges.append((start_us, int(floors[0]) * CELL_US, 0))
        if rests[-1]:
            edges.append((int(floors[-1]) * CELL_US, end_us, len(floors) - 2))
        return cls(intervals=floors, is_interleaved=False, edges=Edges.of(edges))

    @classmethod
    def _of_any(
        cls, bounds_us: Integers, floors: Integers, is_within: npt.NDArray[np.bool_]
    ) -> Periods:
        firsts = (floors + is_within)[:-1]
        ends = np.maximum(floors[1:], firsts)
        periods = np.arange(len(firsts))
        # Both bounds lie within one interval.
        is_short = floors[1:] < firsts
        has_first = is_within[:-1] & ~is_short
        has_last = is_within[1:] & ~is_short
        starts = [bounds_us[:-1][is_short | has_first], ends[has_last] * CELL_US]
        stops = [
            np.where(is_short, bounds_us[1:], firsts * CELL_US)[is_short | has_first],
            bounds_us[1:][has_last],
        ]
        of = [periods[is_short | has_first], periods[has_last]]
        starts_us, ends_us, of_edge = map(np.concatenate, (starts, stops, of))
        kept = starts_us < ends_us
        order = np.flatnonzero(kept)[np.argsort(starts_us[kept], kind="stable")]
        edges = Edges(starts_us[order], ends_us[order], of_edge[order])
        intervals = np.stack([firsts, ends], axis=1).reshape(-1)
        return cls(intervals=intervals, is_interleaved=True, edges=edges)
