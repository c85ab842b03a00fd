"""The head: the points that are in the write-ahead log of batches and in no segment yet."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions, joined, value_counts
from vumeter_server.custom_metrics.sqlite.cache.growing_array import GrowingArray
from vumeter_server.custom_metrics.sqlite.formats.batches import (
    POINT,
    content_of_batch,
    distributions_of_batch,
)
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US

HeadPoints = npt.NDArray[np.void]
"""Points of type POINT."""

NO_POINTS: HeadPoints = np.empty(0, POINT)

Positions = npt.NDArray[np.int64]


@dataclass(slots=True, eq=False)
class Batches:
    """Batches as they are read from the log, by number, ascending."""

    points: dict[int, bytes | memoryview] = field(default_factory=dict)
    distributions: dict[int, Distributions] = field(default_factory=dict)
    size: int = 0
    """How many points they have."""

    def add(self, number: int, blob: bytes) -> None:
        """Add a batch."""
        self.points[number] = points = content_of_batch(blob)
        self.size += len(points) // POINT.itemsize
        distributions = distributions_of_batch(blob)
        if distributions is not None:
            self.distributions[number] = distributions

    def value_counts(self) -> Positions | None:
        """Return how many values each point is; None if each is one."""
        if not self.distributions:
            return None
        sizes = ((number, len(points) // POINT.itemsize) for number, points in self.points.items())
        of_points = joined([(self.distributions.get(number), size) for number, size in sizes])
        return value_counts(of_points, self.size)


class Head:
    """The head of one organization, in the order of recording; used by one thread at a time."""

    def __init__(self) -> None:
        self._points: GrowingArray[np.void] = GrowingArray(POINT)
        # The batches: their numbers, and where each ends in the array.
        self._numbers: list[int] = []
        self._ends: list[int] = []
        # The distributions of batches, by number.
        self._distributions: dict[int, Distributions] = {}
        self._joined: Distributions | None = None
        # Where the points of each rollup interval are, in arrays that are joined when asked for.
        self._positions: dict[int, list[Positions]] = {}
        self.counts: dict[int, int] = {}
        """How many points each rollup interval has."""
        self.first_interval: int | None = None
        """The first interval that has some; None if there are no points."""

    def __len__(self) -> int:
        return len(self._points)

    @property
    def last_batch(self) -> int:
        """The number of the last batch; -1 if there is none."""
        return self._numbers[-1] if self._numbers else -1

    def points(self) -> HeadPoints:
        """Return the points, in an array that stays what it is."""
        return self._points.view()

    def distributions(self) -> Distributions | None:
        """Return the distributions among the points; None if there are none."""
        if self._joined is None and self._distributions:
            starts = dict(zip(self._numbers, [0, *self._ends[:-1]], strict=True))
            moved = [each.moved(starts[n]) for n, each in self._distributions.items()]
            self._joined = joined([(each, 0) for each in moved])
        return self._joined

    def append(self, batches: Batches) -> HeadPoints:
        """Add batches, and return their points."""
        if batches.distributions:
            self._distributions.update(batches.distributions)
            self._joined = None
        start = end = len(self._points)
        for number, columns in batches.points.items():
            end += len(columns) // POINT.itemsize
            self._numbers.append(number)
            self._ends.append(end)
        added = np.frombuffer(b"".join(batches.points.values()), POINT)
        self._points.append(added)
        self._index(added, start)
        return added

    def drop_through(self, batch: int) -> list[int]:
        """Drop the batches up to that number, and return the days of their points."""
        count = bisect_right(self._numbers, batch)
        start = self._ends[count - 1] if count else 0
        points = self._points.view()
        days: list[int] = np.unique(points[:start]["time_us"] // DAY_US).tolist()
        self._points = GrowingArray(POINT, points[start:].copy())
        self._numbers = self._numbers[count:]
        self._ends = [end - start for end in self._ends[count:]]
        self._distributions = {n: each for n, each in self._distributions.items() if n > batch}
        self._joined = None
        self._positions, self.counts, self.first_interval = {}, {}, None
        self._index(self._points.view(), 0)
        return days

    def in_interval(self, interval: int) -> HeadPoints:
        """Return the points of a rollup interval."""
        positions = self._positions.get(interval)
        if positions is None:
            return NO_POINTS
        if len(positions) > 1:
            positions[:] = [np.concatenate(positions)]
        return self._points.view()[positions[0]]

    def _index(self, added: HeadPoints, start: int) -> None:
        if not len(added):
            return
        intervals = added["time_us"] // CELL_US
        order = np.argsort(intervals, kind="stable")
        intervals = intervals[order]
        order += start
        first_interval = int(intervals[0])
        if self.first_interval is None or first_interval < self.first_interval:
            self.first_interval = first_interval
        cuts = (np.flatnonzero(intervals[1:] != intervals[:-1]) + 1).tolist()
        for first, end in itertools.pairwise([0, *cuts, len(added)]):
            interval = int(intervals[first])
            self._positions.setdefault(interval, []).append(order[first:end])
            self.counts[interval] = self.counts.get(interval, 0) + end - first


def in_interval(points: HeadPoints, interval: int) -> HeadPoints:
    """Return those points that are in a rollup interval."""
    found: HeadPoints = points[points["time_us"] // CELL_US == interval]
    return found
