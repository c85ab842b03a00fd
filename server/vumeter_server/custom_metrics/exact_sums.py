"""Sums of doubles that depend neither on the order of the points nor on how they are stored.

A value is split into whole units, units of 2^-30, units of 2^-60 and what is left. The first three
are whole numbers, whose sums in doubles are exact up to 2^53, in whatever order and grouping they
are added; what they carry goes to the next larger unit. The rest is below 2^-60 per point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

SCALE = 2.0**30
FRACTIONS = 3
# A sum in smaller units is exact for 2^23 values, each of which is below 2^30 of them.
CARRY_AFTER = 2**21

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Cells = npt.NDArray[np.integer]


class ExactSums:
    """Sums and counts of a fixed number of cells.

    Attributes:
        counts: int64[cells], how many values each cell sums.
        parts: one float64[cells] with the sums in whole units; once there was a fraction, three
            more in units of 2^-30, 2^-60 and 2^-90.
    """

    __slots__ = ("_uncarried", "counts", "parts")

    def __init__(self, counts: Integers, parts: Sequence[Floats]) -> None:
        self.counts = counts
        self.parts = list(parts)
        self._uncarried = 0

    @classmethod
    def zeros(cls, cells: int) -> ExactSums:
        """Return the sums of nothing."""
        return cls(np.zeros(cells, np.int64), [np.zeros(cells)])

    @classmethod
    def of(
        cls,
        cells: Cells,
        values: npt.NDArray[np.generic],
        size: int,
        counts: Cells | None = None,
    ) -> ExactSums:
        """Return the sums of `values`, each counted into its cell, as often as `counts` says."""
        sums = cls.zeros(size)
        sums.add(cells, values, counts)
        return sums

    @classmethod
    def joined(cls, each: Sequence[ExactSums]) -> ExactSums:
        """Return the cells of several sums one after another."""
        width = max((len(sums.parts) for sums in each), default=1)
        counts = np.concatenate([np.empty(0, np.int64), *(sums.counts for sums in each)])
        parts = [
            np.concatenate(
                [
                    np.empty(0),
                    *(
                        sums.parts[index] if index < len(sums.parts) else np.zeros(len(sums))
                        for sums in each
                    ),
                ]
            )
            for index in range(width)
        ]
        return cls(counts, parts)

    def __len__(self) -> int:
        return len(self.counts)

    def add(
        self, cells: Cells, values: npt.NDArray[np.generic], counts: Cells | None = None
    ) -> None:
        """Add one value to each of `cells`; `counts` says how many it is the sum of, if not one."""
        size = len(self.counts)
        of_cells = np.bincount(cells, weights=counts, minlength=size)
        self.counts += of_cells.astype(np.int64, copy=False)
        if values.dtype.kind in "iu":
            self.parts[0] += np.bincount(cells, weights=values, minlength=size)
            return
        units = np.trunc(values)
        self.parts[0] += np.bincount(cells, weights=units, minlength=size)
        scaled = (values - units) * SCALE
        if not scaled.any():
            return
        self._make_fractions()
        for part in self.parts[1:-1]:
            units = np.trunc(scaled)
            np.add(part, np.bincount(cells, weights=units, minlength=size), out=part)
            scaled = (scaled - units) * SCALE
        self.parts[-1] += np.bincount(cells, weights=scaled, minlength=size)
        self._added(len(values))

    def merge(self, cells: Cells, other: ExactSums) -> None:
        """Add the sums of `other`, one for each of its own cells, to `cells`."""
        size = len(self.counts)
        self.counts += np.bincount(cells, weights=other.counts, minlength=size).astype(np.int64)
        if len(other.parts) > 1:
            self._make_fractions()
        for mine, part in zip(self.parts, other.parts, strict=False):
            np.add(mine, np.bincount(cells, weights=part, minlength=size), out=mine)
        self._added(len(other))

    def put(self, cells: Cells | slice, other: ExactSums) -> None:
        """Do as `merge` where no cell occurs twice, in time that depends on `other` alone."""
        self.counts[cells] += other.counts.astype(np.int64)
        if len(other.parts) > 1:
            self._make_fractions()
        for mine, part in zip(self.parts, other.parts, strict=False):
            mine[cells] += part
        self._added(len(other))

    def taken(self, cells: Cells) -> ExactSums:
        """Return the sums of some cells."""
        return ExactSums(self.counts[cells], [part[cells] for part in self.parts])

    def sliced(self, cells: slice) -> ExactSums:
        """Return the sums of neighbouring cells, without a copy."""
        return ExactSums(self.counts[cells], [part[cells] for part in self.parts])

    def totals(self) -> Floats:
        """Return the sums as the nearest doubles."""
        return join(self.parts)

    def _make_fractions(self) -> None:
        if len(self.parts) == 1:
            self.parts.extend(np.zeros((FRACTIONS, len(self.counts))))

    def _added(self, count: int) -> None:
        self._uncarried += count
        if self._uncarried >= CARRY_AFTER:
            self.carry()

    def carry(self) -> None:
        """Give what the smaller units have in whole larger ones to these; no sum changes."""
        self._uncarried = 0
        for smaller, larger in ((2, 1), (1, 0)) if len(self.parts) > 1 else ():
            carried = np.trunc(self.parts[smaller] / SCALE)
            self.parts[smaller] -= carried * SCALE
            self.parts[larger] += carried


def join(parts: Sequence[npt.NDArray[Any]]) -> Floats:
    """Return sums in units of 1, 2^-30, 2^-60 and 2^-90, or in units of 1 alone, as doubles."""
    total: Floats = parts[-1].astype(np.float64)
    # From the smallest part to the largest, each addition rounds once.
    for part in parts[-2::-1]:
        total /= SCALE
        total += part
    return total
