"""How many distinct numbers each cell has."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

# Up to so many marks per number, and so many beside, marking is faster than sorting: a cell has a
# mark for each number from its least to its greatest one. Those of sessions that were recorded in
# the same days are near each other.
MARKS_PER_NUMBER = 16
MARKS_BESIDE = 65_536
# From so many numbers per cell on, cells are counted one by one: what one needs stays in the
# processor's cache.
FEW_CELLS = 2_000


def count_distinct(cells: npt.NDArray[Any], numbers: Integers, size: int) -> Integers:
    """Count the distinct numbers of each cell.

    Args:
        cells: integer[numbers], the cell of each number, from 0 to `size` - 1.
        numbers: int64[numbers], not negative.
        size: how many cells there are.

    Returns:
        int64[size].
    """
    counts: Integers = np.zeros(size, np.int64)
    if not len(numbers):
        return counts
    if not (cells[1:] >= cells[:-1]).all():
        order = np.argsort(cells, kind="stable")
        cells, numbers = cells[order], numbers[order]
    if size * FEW_CELLS <= len(cells):
        firsts = cells.searchsorted(np.arange(size, dtype=cells.dtype))
        of_cells = np.diff(firsts, append=len(cells))
    else:
        of_cells = np.bincount(cells, minlength=size)
    filled = np.flatnonzero(of_cells)
    lengths = of_cells[filled]
    starts = np.cumsum(lengths) - lengths
    if size * FEW_CELLS <= len(cells):
        for cell, start, length in zip(
            filled.tolist(), starts.tolist(), lengths.tolist(), strict=True
        ):
            counts[cell] = _count(numbers[start : start + length])
        return counts
    least = np.minimum.reduceat(numbers, starts)
    widths = np.maximum.reduceat(numbers, starts) - least + 1
    marks = int(widths.sum())
    if marks > MARKS_PER_NUMBER * len(numbers) + MARKS_BESIDE:
        return _count_sorted(cells, numbers, size)
    first_marks = np.cumsum(widths) - widths
    is_there = np.zeros(marks, np.uint8)
    is_there[numbers + (first_marks - least).repeat(lengths)] = 1
    counts[filled] = np.add.reduceat(is_there, first_marks, dtype=np.int64)
    return counts


def _count(numbers: Integers) -> int:
    """Count the distinct ones of some numbers."""
    least = int(numbers.min())
    marks = int(numbers.max()) - least + 1
    if marks > MARKS_PER_NUMBER * len(numbers) + MARKS_BESIDE:
        return len(np.unique(numbers))
    is_there = np.zeros(marks, np.bool_)
    is_there[numbers - least] = True
    return int(np.count_nonzero(is_there))


def _count_sorted(cells: npt.NDArray[Any], numbers: Integers, size: int) -> Integers:
    width = int(numbers.max()) + 1
    # A sort of numbers is faster than what finds distinct ones by hash, of narrow ones more so.
    of_pairs: type[np.integer] = np.int32 if size * width <= np.iinfo(np.int32).max else np.int64
    pairs = np.sort(cells.astype(of_pairs) * of_pairs(width) + numbers.astype(of_pairs))
    is_first = np.ones(len(pairs), np.bool_)
    is_first[1:] = pairs[1:] != pairs[:-1]
    counts: Integers = np.bincount(pairs[is_first] // width, minlength=size)
    return counts
