"""Sums of each metric by cells of 15 minutes, over the sealed days and the log together.

Every time zone in use is a multiple of 15 minutes from UTC, so that days, hours and most steps are
made of whole cells. Sealing moves points from the log to the days and changes no sum.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.columns import DAY_US, decode_sums

if TYPE_CHECKING:
    from vumeter_server.custom_metrics.sqlite.snapshots import Points

CELL_US = 900_000_000
CELLS_A_DAY = DAY_US // CELL_US


class Totals:
    """One metric's sums by cell; a cell is numbered by its start in units of 15 minutes."""

    def __init__(self) -> None:
        self.cells: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.sums = ExactSums.zeros(0)

    @classmethod
    def read(
        cls, connection: sqlite3.Connection, organization_id: int, metric_code: int, log: Points
    ) -> Totals:
        """Read the sums of the sealed days and add those of the log."""
        totals = cls()
        rows = connection.execute(
            "SELECT day, sums FROM metric_cells WHERE organization_id = ? AND metric_code = ?"
            " ORDER BY day, part",
            (organization_id, metric_code),
        ).fetchall()
        parts = [(day, *decode_sums(sums, 1)) for day, sums in rows]
        if parts:
            cells = np.concatenate([keys[0] + day * CELLS_A_DAY for day, keys, _ in parts])
            totals.cells, where = np.unique(cells, return_inverse=True)
            totals.sums = ExactSums.zeros(len(totals.cells))
            start = 0
            for _, _, sums in parts:
                totals.sums.put(where[start : start + len(sums)], sums)
                start += len(sums)
        totals.add(log[log["metric"] == metric_code])
        return totals

    def add(self, points: Points) -> None:
        """Add points of the metric."""
        if not len(points):
            return
        cells, where = np.unique(points["time_us"] // CELL_US, return_inverse=True)
        new = cells[~np.isin(cells, self.cells, assume_unique=True)]
        if len(new):
            grown = np.union1d(self.cells, new)
            sums = ExactSums.zeros(len(grown))
            sums.put(np.searchsorted(grown, self.cells), self.sums)
            self.cells, self.sums = grown, sums
        self.sums.put(
            np.searchsorted(self.cells, cells), ExactSums.of(where, points["value"], len(cells))
        )

    def between(self, bounds: npt.NDArray[np.int64]) -> ExactSums:
        """Return the sums from each of the ascending cells `bounds` to the next one."""
        return self.sums.between(self.cells.searchsorted(bounds))
