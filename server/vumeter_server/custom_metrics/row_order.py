"""The order of many rows by several columns, found by sorting whole numbers.

That takes a third of the time, and less, of sorting by one column after the other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Doubles hold larger whole numbers with gaps.
_MOST: Final = 2.0**53
_SCALES: Final = (1.0, 10.0, 100.0, 1_000.0)
_SOME: Final = 16
_INT64_END: Final = 1 << 63


def order_of(first: Integers, sizes: Floats, ranks: Integers) -> Integers:
    """Return the order of rows by `first`, then `sizes`, then `ranks`, as indexes of rows.

    No two rows are alike in all. What is not `sizes` is not negative; none of them is NaN.
    """
    if not len(first):
        return np.empty(0, np.int64)
    numbers = _as_whole_numbers(sizes)
    if numbers is None:
        numbers = _numbered(sizes)
    space_of_numbers, space_of_ranks = int(numbers.max()) + 1, int(ranks.max()) + 1
    space = (int(first.max()) + 1) * space_of_numbers * space_of_ranks
    if space > _INT64_END:
        return np.lexsort((ranks, numbers, first))
    keys = (first * space_of_numbers + numbers) * space_of_ranks + ranks
    bits = len(keys).bit_length()
    if space << bits > _INT64_END:
        return np.argsort(keys)
    # Sorting numbers that have their indexes in them takes two thirds of the time.
    keys <<= bits
    keys += np.arange(len(keys))
    keys.sort()
    keys &= (1 << bits) - 1
    return keys


def _as_whole_numbers(sizes: Floats) -> Integers | None:
    """Return numbers from 0 on in the order of sizes that have up to three decimals, else None."""
    least, most = float(sizes.min()), float(sizes.max())
    some = sizes[:: len(sizes) // _SOME + 1]
    for scale in _SCALES:
        if not max(-least, most) * scale < _MOST:
            return None
        if (np.rint(some * scale) / scale == some).all():
            scaled = np.rint(sizes * scale)
            if (scaled / scale == sizes).all():
                return (scaled - round(least * scale)).astype(np.int64)
    return None


def _numbered(sizes: Floats) -> Integers:
    """Number the distinct sizes in ascending order; return the number of each."""
    ascending = np.argsort(sizes)
    of_sizes = sizes[ascending]
    numbers = np.zeros(len(sizes), np.int64)
    numbers[ascending[1:]] = np.cumsum(of_sizes[1:] != of_sizes[:-1])
    return numbers
