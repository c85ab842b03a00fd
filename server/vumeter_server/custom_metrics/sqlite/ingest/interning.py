"""Numbers what occurs in arrays of codes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]


def number_groups(columns: list[Codes], labels: int) -> tuple[Codes, list[list[int]]]:
    """Number the distinct rows of columns of label codes; see Labels.groups."""
    numbers, count = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        codes, of_label = _number(column + 1, labels + 1)
        combined = numbers * len(codes) + of_label
        if count * len(codes) <= 8 * len(column) + 1024:
            found, numbers = _number(combined, count * len(codes))
        else:
            found, numbers = np.unique(combined, return_inverse=True)
        count = len(found)
    first = np.zeros(count, np.int64)
    # Of equal numbers the last series is kept; any of them will do.
    first[numbers] = np.arange(len(numbers))
    members = np.stack([column[first] for column in columns], axis=1)
    return numbers.astype(np.int32), members.tolist()


def distinct(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Do as np.unique for numbers from 0, without sorting where they are not too large."""
    largest = int(numbers.max(initial=0))
    if largest > 64 * len(numbers):
        return np.unique(numbers)
    occurs = np.zeros(largest + 1, np.bool_)
    occurs[numbers] = True
    return np.flatnonzero(occurs)


def numbered(
    numbers: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Do as np.unique with the inverse, without sorting where the numbers, some, lie together."""
    least = int(numbers.min())
    limit = int(numbers.max()) - least + 1
    if limit > 64 * len(numbers):
        return np.unique(numbers.astype(np.int64), return_inverse=True)
    found, places = _number(numbers.astype(np.int64) - least, limit)
    return found + least, places


def _number(
    elements: npt.NDArray[np.integer], limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Do as np.unique with the inverse, for numbers below `limit`, without sorting."""
    occurs = np.zeros(limit, np.bool_)
    occurs[elements] = True
    found = np.flatnonzero(occurs)
    numbers = np.zeros(limit, np.int64)
    numbers[found] = np.arange(len(found))
    return found, numbers[elements]
