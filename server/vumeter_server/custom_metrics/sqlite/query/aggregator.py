"""The aggregator: sums by key, of which few or many may occur among those that are possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums, join
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.sqlite import check_cancelled

# Points are summed in chunks of this many, so that memory is bounded and each pass is long enough.
CHUNK_POINTS = 1 << 20
# Up to this many possible cells are summed in place; more are found by sorting. So are fewer, but
# for the first number, where there are many times as many cells as there is to be summed at first.
FEW_CELLS = 1 << 16
MAX_DENSE_CELLS = 1 << 21
CELLS_PER_VALUE = 8

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SumTable:
    """Rows of sums.

    Attributes:
        rows: int64[rows], the numbers of the rows that have a value, in ascending order.
        sums: float64[rows, width].
        totals: float64[rows], the sum of each row.
        present: bool[width], whether a column has a value.
    """

    rows: Keys
    sums: npt.NDArray[np.float64]
    totals: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_]


class Aggregator:
    """Sums by key; keys are whole numbers from 0 to `cells` - 1."""

    def __init__(self, cells: int) -> None:
        self._cells = cells
        self._is_decided = False
        self._dense: ExactSums | None = None
        self._keys: list[Array] = []
        self._values: list[Array] = []
        self._pending = 0
        self._partial: list[tuple[Keys, ExactSums]] = []

    def add(self, keys: Array, values: Array) -> None:
        """Add values to the sums of their keys; both have one element per point."""
        self._keys.append(keys)
        self._values.append(values)
        self._pending += len(values)
        if self._pending >= CHUNK_POINTS:
            self._sum_pending()

    def add_sums(self, keys: Array, sums: ExactSums) -> None:
        """Add sums to those of their keys."""
        self._decide(len(keys))
        if self._dense is not None:
            self._dense.merge(keys, sums)
            return
        distinct, where = np.unique(keys, return_inverse=True)
        merged = ExactSums.zeros(len(distinct))
        merged.merge(where, sums)
        self._partial.append((distinct, merged))

    def add_all(self, sums: ExactSums) -> None:
        """Add sums for all keys."""
        self._decide(len(sums))
        if self._dense is not None:
            self._dense.put(slice(None), sums)
        else:
            keys = np.flatnonzero(sums.counts)
            self._partial.append((keys, sums.taken(keys)))

    def table(self, width: int) -> SumTable:
        """Return the sums as rows of `width` keys."""
        self._sum_pending()
        self._decide(0)
        if self._dense is not None:
            return _dense_table(self._dense, width)
        return _sparse_table(*_merge(self._partial), width)

    def _decide(self, values: int) -> None:
        if self._is_decided:
            return
        self._is_decided = True
        if self._cells <= min(max(FEW_CELLS, CELLS_PER_VALUE * values), MAX_DENSE_CELLS):
            self._dense = ExactSums.zeros(self._cells)

    def _sum_pending(self) -> None:
        if not self._pending:
            return
        check_cancelled()
        keys, values = np.concatenate(self._keys), np.concatenate(self._values)
        self._keys, self._values, self._pending = [], [], 0
        self._decide(len(keys))
        if self._dense is not None:
            self._dense.add(keys, values)
            return
        distinct, where = np.unique(keys, return_inverse=True)
        self._partial.append((distinct, ExactSums.of(where, values, len(distinct))))


def _dense_table(sums: ExactSums, width: int) -> SumTable:
    counts = sums.counts.reshape(-1, width)
    rows = np.flatnonzero(counts.any(axis=1))
    parts = [part.reshape(-1, width)[rows] for part in sums.parts]
    return SumTable(
        rows=rows,
        sums=join(parts),
        totals=join([part.sum(axis=1) for part in parts]),
        present=counts.sum(axis=0) > 0,
    )


def _sparse_table(keys: Keys, sums: ExactSums, width: int) -> SumTable:
    rows, row_of_key = np.unique(keys // width, return_inverse=True)
    table = np.zeros((len(rows), width))
    table[row_of_key, keys % width] = sums.totals()
    by_row = ExactSums.zeros(len(rows))
    by_row.merge(row_of_key, sums)
    present = np.zeros(width, np.bool_)
    present[keys % width] = True
    return SumTable(rows=rows, sums=table, totals=by_row.totals(), present=present)


def _merge(partial: list[tuple[Keys, ExactSums]]) -> tuple[Keys, ExactSums]:
    if not partial:
        return np.empty(0, np.int64), ExactSums.zeros(0)
    keys = np.unique(np.concatenate([distinct for distinct, _ in partial]))
    merged = ExactSums.zeros(len(keys))
    for distinct, sums in partial:
        merged.put(np.searchsorted(keys, distinct), sums)
    return keys, merged
