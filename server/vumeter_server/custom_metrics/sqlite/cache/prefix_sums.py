"""Prefix sums over rollup intervals: the metrics side by side in one array if it is not too large.

Queries are about several metrics, and what numpy does for one of them costs as much as for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.head import HeadPoints
from vumeter_server.custom_metrics.sqlite.rollups.intervals import (
    EXACT_BELOW,
    Totals,
    sums_by_metric,
)

# How many intervals there is room for behind the last: a day of them.
ROOM = 96
# How many intervals of all metrics together may lie side by side, at 8 to 40 bytes.
MAX_INTERVALS = 1 << 20

Cube = npt.NDArray[np.float64]
"""float64[metrics, rows, intervals or periods]; the rows are counts, then parts of ExactSums."""


class PrefixSums:
    """The interval sums of the metrics that were asked for; used by one thread at a time."""

    def __init__(self) -> None:
        self._each: dict[int, Totals] = {}
        self._stacked: _Stacked | None = None
        self._is_stacked = True
        self.ready: set[int] = set()
        """The metrics whose sums take no more than some arithmetic."""

    def __len__(self) -> int:
        together = 0 if self._stacked is None else len(self._stacked)
        return sum(len(totals.cells) for totals in self._each.values()) + together

    def missing(self, metric_codes: Sequence[int]) -> list[int]:
        """Return the metrics among these that were not added yet."""
        return [code for code in metric_codes if code not in self._each]

    def put(self, metric_code: int, totals: Totals) -> None:
        """Add a further metric."""
        self._each[metric_code] = totals
        self._unstack()

    def add(self, points: HeadPoints, counts: npt.NDArray[np.int64] | None = None) -> None:
        """Add points of the head; `counts` says how many values each is the sum of, if not one."""
        for metric_code, intervals, sums in sums_by_metric(points, counts):
            totals = self._each.get(metric_code)
            if totals is not None:
                totals.add(intervals, sums)
                if self._stacked is not None and not self._stacked.add(
                    metric_code, intervals, sums
                ):
                    self._unstack()

    def between(self, metric_codes: Sequence[int], bounds: npt.NDArray[np.int64]) -> Cube:
        """Return metrics' sums from each of the ascending intervals `bounds` to the next one."""
        before = self.before(metric_codes, bounds)
        if before is None:
            return stacked([self._each[code].between(bounds) for code in metric_codes])
        differences: Cube = before[:, :, 1:] - before[:, :, :-1]
        return differences

    def before(self, metric_codes: Sequence[int], bounds: npt.NDArray[np.int64]) -> Cube | None:
        """Return metrics' sums before each of the intervals `bounds`, which ascend.

        None if they are not exact.

        The cube is the caller's: it may be changed.
        """
        if not self._is_stacked:
            self._stacked = _Stacked.of(self._each)
            self._is_stacked = True
            self.ready.update(self._each)
        if self._stacked is not None:
            return self._stacked.before(metric_codes, bounds)
        each = []
        for code in metric_codes:
            before = self._each[code].before(bounds)
            if before is None:
                return None
            each.append(before)
        return stacked(each)

    def _unstack(self) -> None:
        self._stacked = None
        self._is_stacked = False
        self.ready.clear()


class _Stacked:
    """Sums before each interval of a range of time, by metric; all of them are exact."""

    def __init__(
        self, first: int, rows: dict[int, int], heights: list[int], before: Cube, intervals: int
    ) -> None:
        self._first = first
        self._rows = rows
        # How many rows of sums each metric has: two if its values are whole.
        self._heights = heights
        # The sums before interval first + n are at n, up to n = intervals; what is behind is room
        # to grow.
        self._before = before
        self._intervals = intervals

    def __len__(self) -> int:
        return self._before.size // 4

    @classmethod
    def of(cls, each: Mapping[int, Totals]) -> _Stacked | None:
        """Put metrics side by side; None if they would take too much room or were not exact."""
        filled = [totals for totals in each.values() if len(totals.cells)]
        if not filled:
            return None
        first = min(int(totals.cells[0]) for totals in filled)
        end = max(int(totals.cells[-1]) for totals in filled) + 1
        if (end - first) * len(each) > MAX_INTERVALS:
            return None
        height = max(_height(totals.sums) for totals in filled)
        before = np.zeros((len(each), height, end - first + 1 + ROOM))
        for row, totals in enumerate(each.values()):
            sums = totals.sums[: _height(totals.sums)]
            before[row, : len(sums), totals.cells - first + 1] = sums.T
        np.cumsum(before, axis=2, out=before)
        if not _are_exact(before):
            return None
        rows = {code: row for row, code in enumerate(each)}
        heights = [_height(totals.sums) for totals in each.values()]
        return cls(first, rows, heights, before, end - first)

    def add(self, metric_code: int, intervals: npt.NDArray[np.int64], sums: Cube) -> bool:
        """Add sums by interval to a metric; False if there is no room for them here."""
        row = self._rows[metric_code]
        begin, end = int(intervals[0]) - self._first, int(intervals[-1]) + 1 - self._first
        room = self._before.shape[2]
        sums = sums[: _height(sums)]
        if begin < 0 or end >= room or len(sums) > self._before.shape[1]:
            return False
        added = np.zeros((len(sums), room - 1 - begin))
        added[:, intervals - int(intervals[0])] = sums
        self._heights[row] = max(self._heights[row], len(sums))
        changed = self._before[row, : len(sums), begin + 1 :]
        changed += np.cumsum(added, axis=1)
        self._intervals = max(self._intervals, end)
        return _are_exact(changed[None])

    def before(self, metric_codes: Sequence[int], bounds: npt.NDArray[np.int64]) -> Cube:
        before: Cube = self._before
        positions = bounds - self._first
        if positions[0] < 0 or positions[-1] > self._intervals:
            positions = positions.clip(0, self._intervals)
        rows = [self._rows[code] for code in metric_codes]
        if len(rows) == 1:
            row = rows[0]
            before = before[row, : self._heights[row]].take(positions, axis=1)[None]
        elif rows == list(range(len(before))):
            before = before.take(positions, axis=2)
        else:
            height = before.shape[1]
            before = before[
                np.array(rows)[:, None, None], np.arange(height)[None, :, None], positions
            ]
        return before


def _height(sums: npt.NDArray[np.float64]) -> int:
    """Return how many rows there are, without those of fractions where there are none."""
    return len(sums) if sums[2:].any() else 2


def _are_exact(before: Cube) -> bool:
    """Whether sums are; the last of four parts is not whole, but below all printed digits."""
    whole = before[:, :4]
    largest = max(whole.max(initial=0.0), -whole.min(initial=0.0))
    return bool(largest < EXACT_BELOW)


def stacked(each: Sequence[npt.NDArray[np.float64]]) -> Cube:
    """Return matrices of maybe different heights as one cube."""
    cube = np.zeros((len(each), max(map(len, each)), each[0].shape[1]))
    for row, matrix in enumerate(each):
        cube[row, : len(matrix)] = matrix
    return cube
