"""Percentiles by nearest rank, exact: always one of the values themselves.

The percentile of n values is the one of rank ceil(percent / 100 * n), counted from 1 in ascending
order (the nearest-rank method).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def rank_of(count: int, percent: int) -> int:
    """Return the rank of a percentile among `count` values."""
    return -(-count * percent // 100)


def nearest_rank(
    values: npt.NDArray[np.float64], cells: npt.NDArray[np.integer], percent: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the cells that occur, in order, with the percentile and count of each one's values."""
    if len(cells) and (cells[1:] < cells[:-1]).any():
        order = np.argsort(cells, kind="stable")
        values, cells = values[order], cells[order]
    starts = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]])[: len(cells)])
    counts = np.diff(starts, append=len(cells))
    percentiles = np.empty(len(starts))
    for index, (start, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True)):
        rank = rank_of(count, percent)
        # Finding one rank takes time in proportion to the values, sorting more.
        percentiles[index] = np.partition(values[start : start + count], rank - 1)[rank - 1]
    return cells[starts].astype(np.int64), percentiles, counts.astype(np.int64)
