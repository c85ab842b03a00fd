"""Sums of each metric by intervals of 15 minutes, over the flushed days and the head together.

Every time zone in use is a multiple of 15 minutes from UTC, so that days, hours and most steps are
made of whole intervals. A flush moves points from the head to the days and changes no sum.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.formats.tables import (
    decode_sums,
    decode_sums_and_extremes,
)
from vumeter_server.sqlite.library import sqlite3

CELL_US = 900_000_000
CELLS_A_DAY = DAY_US // CELL_US
# Enough for cells up to the year 9999.
_CELL_BITS = 32
# Doubles hold whole numbers up to 2^53: the sum and the difference of two below this are exact.
EXACT_BELOW = 2.0**52

Points = npt.NDArray[np.void]

Matrix = npt.NDArray[np.float64]
"""Sums as rows of one matrix, added up in one go: the counts, then the parts of ExactSums."""


def read_extremes(
    connection: sqlite3.Connection, organization_id: int, metric_code: int, days: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], Extremes] | None:
    """Return the cells of a metric's flushed points on days [first, end), each maybe several times.

    With the minima and maxima of each; None if some were written without them.
    """
    rows = connection.execute(
        "SELECT c.day, c.sums FROM metric_cells c CROSS JOIN metric_days d"
        " ON d.organization_id = c.organization_id AND d.day = c.day AND d.part = c.part"
        " WHERE c.organization_id = ? AND c.metric_code = ? AND c.day >= ? AND c.day < ?",
        (organization_id, metric_code, *days),
    )
    cells = [np.empty(0, np.int64)]
    each: list[Extremes | None] = []
    for day, blob in rows:
        (of_day,), _, extremes = decode_sums_and_extremes(blob, 1)
        cells.append(of_day + day * CELLS_A_DAY)
        each.append(extremes)
    joined = Extremes.joined(each)
    return None if joined is None else (np.concatenate(cells), joined)


def read_counts(
    connection: sqlite3.Connection, organization_id: int, metric_code: int, day: int
) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield which cells of a day have flushed points of a metric, and how many values.

    For each segment of the day: its number, the cells since the day began, and their counts.
    """
    rows = connection.execute(
        "SELECT c.part, c.sums FROM metric_cells c CROSS JOIN metric_days d"
        " ON d.organization_id = c.organization_id AND d.day = c.day AND d.part = c.part"
        " WHERE c.organization_id = ? AND c.metric_code = ? AND c.day = ? ORDER BY c.part",
        (organization_id, metric_code, day),
    )
    for part, blob in rows:
        (cells,), sums = decode_sums(blob, 1)
        yield part, cells, sums.counts


class Totals:
    """One metric's sums by cell; a cell is numbered by its start in units of 15 minutes."""

    def __init__(self) -> None:
        self.cells: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.sums: Matrix = np.empty((2, 0))
        """The sums of each cell."""
        # Sums of all cells before each one: differences of two are sums between them. None until
        # they are asked for, and where they would be too large to be exact.
        self._before: Matrix | None = None
        self._is_summed = False

    @classmethod
    def read(
        cls, connection: sqlite3.Connection, organization_id: int, metric_code: int, log: Points
    ) -> Totals:
        """Read the sums of the flushed days and add those of the head."""
        totals = cls()
        rows = connection.execute(
            "SELECT c.day, c.sums FROM metric_cells c CROSS JOIN metric_days d"
            " ON d.organization_id = c.organization_id AND d.day = c.day AND d.part = c.part"
            " WHERE c.organization_id = ? AND c.metric_code = ? ORDER BY c.day, c.part",
            (organization_id, metric_code),
        ).fetchall()
        parts = [(day, *decode_sums(sums, 1)) for day, sums in rows]
        if parts:
            cells = np.concatenate([keys[0] + day * CELLS_A_DAY for day, keys, _ in parts])
            distinct, where = np.unique(cells, return_inverse=True)
            sums = ExactSums.zeros(len(distinct))
            sums.merge(where, ExactSums.joined([each for _, _, each in parts]))
            totals.cells, totals.sums = distinct, as_matrix(sums)
        for _, cells_of_log, sums_of_log in sums_by_metric(log[log["metric"] == metric_code]):
            totals.add(cells_of_log, sums_of_log)
        return totals

    def add(self, cells: npt.NDArray[np.int64], added: Matrix) -> None:
        """Add sums of some cells, which are distinct and in ascending order."""
        at = self.cells.searchsorted(cells)
        known = np.zeros(len(cells), np.bool_)
        inside = at < len(self.cells)
        known[inside] = self.cells[at[inside]] == cells[inside]
        height = max(len(added), len(self.sums))
        if not known.all() or height > len(self.sums):
            grown = np.insert(self.cells, at[~known], cells[~known])
            sums = np.zeros((height, len(grown)))
            sums[: len(self.sums), grown.searchsorted(self.cells)] = self.sums
            self.cells, self.sums = grown, sums
            at = grown.searchsorted(cells)
        self.sums[: len(added), at] += added
        self._is_summed = False

    def between(self, bounds: npt.NDArray[np.int64]) -> Matrix:
        """Return the sums from each of the ascending cells `bounds` to the next one."""
        before = self.before(bounds)
        if before is not None:
            differences: Matrix = before[:, 1:] - before[:, :-1]
            return differences
        positions = self.cells.searchsorted(bounds)
        sums = np.zeros((len(self.sums), len(bounds) - 1))
        some = positions[:-1] < positions[1:]
        # reduceat answers an empty run with the element where it would begin, and none at the end.
        where = positions[:-1][some]
        if len(where):
            sums[:, some] = np.add.reduceat(self.sums[:, : positions[-1]], where, axis=1)
        return sums

    def before(self, bounds: npt.NDArray[np.int64]) -> Matrix | None:
        """Return the sums before each of the cells `bounds`; None if they are not exact."""
        if not self._is_summed:
            self._before = _sums_before(self.sums)
            self._is_summed = True
        if self._before is None:
            return None
        return self._before.take(self.cells.searchsorted(bounds), axis=1)


def _sums_before(sums: Matrix) -> Matrix | None:
    """Return the sums before each cell and behind the last; None if they are not all exact.

    The last of four parts is not whole; its rounding is below all digits that are printed.
    """
    before = np.zeros((len(sums), sums.shape[1] + 1))
    np.cumsum(sums, axis=1, out=before[:, 1:])
    return before if np.abs(before[:4]).max() < EXACT_BELOW else None


def sums_by_metric(
    points: Points, counts: npt.NDArray[np.int64] | None = None
) -> Iterator[tuple[int, npt.NDArray[np.int64], Matrix]]:
    """Yield the metrics of points, with their cells, in order, and the sums of each cell.

    `counts` says how many values each point is the sum of, None for one each.
    """
    keys = points["metric"].astype(np.int64) << _CELL_BITS | points["time_us"] // CELL_US
    distinct, where = np.unique(keys, return_inverse=True)
    sums = as_matrix(ExactSums.of(where, points["value"], len(distinct), counts))
    metrics, cells = distinct >> _CELL_BITS, distinct & ((1 << _CELL_BITS) - 1)
    bounds = [0, *(np.flatnonzero(metrics[1:] != metrics[:-1]) + 1).tolist(), len(metrics)]
    for start, end in itertools.pairwise(bounds if len(metrics) else ()):
        of_metric = sums[:, start:end]
        # Metrics of whole numbers need no rows for fractions.
        rows = len(sums) if of_metric[2:].any() else 2
        yield int(metrics[start]), cells[start:end], of_metric[:rows]


def as_matrix(sums: ExactSums) -> Matrix:
    """Return sums as rows of a matrix."""
    return np.stack([sums.counts, *sums.parts]).astype(np.float64)


def of_matrix(matrix: Matrix) -> ExactSums:
    """Return the sums that are rows of a matrix."""
    return ExactSums(matrix[0].astype(np.int64), list(matrix[1:]))
