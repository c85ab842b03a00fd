"""Sums of doubles that do not depend on the order of the points, nor on how they are stored.

A value is split into whole units, units of 2^-30, units of 2^-60 and what is left. The first three
are whole numbers, whose sums in doubles are exact up to 2^53, in whatever order and grouping they
are added. The rest is below 2^-60 a point.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SCALE = 2.0**30


class ExactSums:
    """Sums and counts of a fixed number of cells."""

    __slots__ = ("counts", "fine", "finer", "rest", "whole")

    def __init__(self, cells: int) -> None:
        self.counts = np.zeros(cells, np.int64)
        self.whole = np.zeros(cells)
        # The parts of fractions, made when the first fraction comes: most values are whole.
        self.fine: npt.NDArray[np.float64] | None = None
        self.finer = self.rest = self.whole

    def add(self, cells: npt.NDArray[np.integer], values: npt.NDArray[np.generic]) -> None:
        """Add one value to each of `cells`."""
        size = len(self.counts)
        self.counts += np.bincount(cells, minlength=size)
        if values.dtype.kind in "iu":
            self.whole += np.bincount(cells, weights=values, minlength=size)
            return
        whole = np.trunc(values)
        self.whole += np.bincount(cells, weights=whole, minlength=size)
        scaled = (values - whole) * SCALE
        if not scaled.any():
            return
        if self.fine is None:
            self.fine, self.finer, self.rest = np.zeros((3, size))
        for parts in (self.fine, self.finer):
            units = np.trunc(scaled)
            np.add(parts, np.bincount(cells, weights=units, minlength=size), out=parts)
            scaled = (scaled - units) * SCALE
        self.rest += np.bincount(cells, weights=scaled, minlength=size)

    def totals(self) -> npt.NDArray[np.float64]:
        """Return the sums as the nearest doubles."""
        if self.fine is None:
            return self.whole.copy()
        # From the smallest part to the largest, each addition rounds once.
        return self.whole + (self.fine + (self.finer + self.rest / SCALE) / SCALE) / SCALE

    def merge(self, cells: npt.NDArray[np.integer], other: ExactSums) -> None:
        """Add the sums of `other` to `cells`, one for each of its own."""
        size = len(self.counts)

        def by_cell(weights: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
            return np.bincount(cells, weights=weights, minlength=size).astype(np.float64)

        self.counts += by_cell(other.counts).astype(np.int64)
        self.whole += by_cell(other.whole)
        if other.fine is None:
            return
        if self.fine is None:
            self.fine, self.finer, self.rest = np.zeros((3, size))
        self.fine += by_cell(other.fine)
        self.finer += by_cell(other.finer)
        self.rest += by_cell(other.rest)

    def taken(self, cells: npt.NDArray[np.integer]) -> ExactSums:
        """Return the sums of some cells."""
        taken = ExactSums(0)
        taken.counts = self.counts[cells]
        taken.whole = taken.finer = taken.rest = self.whole[cells]
        if self.fine is not None:
            taken.fine = self.fine[cells]
            taken.finer, taken.rest = self.finer[cells], self.rest[cells]
        return taken
