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


def nearest_rank(values: npt.NDArray[np.generic], percent: int) -> float:
    """Return a percentile of values, of which there is at least one."""
    position = rank_of(len(values), percent) - 1
    # Finding one rank takes time in proportion to the values, sorting more.
    found = values.copy()
    found.partition(position)
    return float(found[position])
