"""Percentiles by nearest rank, exact: always one of the values themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def nearest_rank(
    values: npt.NDArray[np.float64], cells: npt.NDArray[np.integer], percent: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the cells that occur, in order, with the percentile and count of each one's values.

    The percentile of n values is the one of rank ceil(percent / 100 * n), counted from 1 in
    ascending order (the nearest-rank method).
    """
    order = np.lexsort((values, cells))
    found, starts, counts = np.unique(cells[order], return_index=True, return_counts=True)
    ranks = -(-counts * percent // 100)
    return found.astype(np.int64), values[order[starts + ranks - 1]], counts.astype(np.int64)
