"""Sums by key, of which few or many may occur among those that are possible."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.columns import Array
from vumeter_server.storage import check_cancelled

# Points are summed in lots of this many, so that memory is bounded and each pass is long enough.
LOT = 1 << 20
# Up to this many possible cells are summed in place; more are found by sorting.
MAX_DENSE_CELLS = 1 << 21

Keys = npt.NDArray[np.int64]


class KeyedSums:
    """Sums by key from 0 to `cells`."""

    def __init__(self, cells: int) -> None:
        self._dense = ExactSums.zeros(cells) if cells <= MAX_DENSE_CELLS else None
        self._keys: list[Array] = []
        self._values: list[Array] = []
        self._waiting = 0
        self._partial: list[tuple[Keys, ExactSums]] = []

    def add(self, keys: Array, values: Array) -> None:
        """Add values to the sums of their keys."""
        self._keys.append(keys)
        self._values.append(values)
        self._waiting += len(values)
        if self._waiting >= LOT:
            self._sum_waiting()

    def add_sums(self, keys: Array, sums: ExactSums) -> None:
        """Add sums to those of their keys."""
        if self._dense is not None:
            self._dense.merge(keys, sums)
            return
        distinct, where = np.unique(keys, return_inverse=True)
        merged = ExactSums.zeros(len(distinct))
        merged.merge(where, sums)
        self._partial.append((distinct, merged))

    def add_column(self, first: int, step: int, sums: ExactSums) -> None:
        """Add sums to the keys `first`, `first + step`, and so on."""
        if self._dense is not None:
            self._dense.put(slice(first, None, step), sums)
            return
        occur = np.flatnonzero(sums.counts)
        self._partial.append((first + step * occur, sums.taken(occur)))

    def result(self) -> tuple[Keys, ExactSums]:
        """Return the keys that occurred, in ascending order, and their sums."""
        self._sum_waiting()
        if self._dense is not None:
            keys = np.flatnonzero(self._dense.counts)
            return keys, self._dense.taken(keys)
        if len(self._partial) != 1:
            self._partial = [_merge(self._partial)]
        return self._partial[0]

    def _sum_waiting(self) -> None:
        if not self._waiting:
            return
        check_cancelled()
        keys, values = np.concatenate(self._keys), np.concatenate(self._values)
        self._keys, self._values, self._waiting = [], [], 0
        if self._dense is not None:
            self._dense.add(keys, values)
            return
        distinct, where = np.unique(keys, return_inverse=True)
        self._partial.append((distinct, ExactSums.of(where, values, len(distinct))))


def _merge(partial: list[tuple[Keys, ExactSums]]) -> tuple[Keys, ExactSums]:
    if not partial:
        return np.empty(0, np.int64), ExactSums.zeros(0)
    keys = np.unique(np.concatenate([distinct for distinct, _ in partial]))
    merged = ExactSums.zeros(len(keys))
    for distinct, sums in partial:
        merged.put(np.searchsorted(keys, distinct), sums)
    return keys, merged
