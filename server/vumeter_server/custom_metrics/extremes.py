"""The smallest and the greatest values of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.integer]
Values = npt.NDArray[Any]


class Extremes:
    """Minima and maxima of a fixed number of cells.

    Attributes:
        minima: float64[cells], infinity where a cell has no value.
        maxima: float64[cells], minus infinity where a cell has no value.
    """

    __slots__ = ("maxima", "minima")

    def __init__(self, minima: Floats, maxima: Floats) -> None:
        self.minima = minima
        self.maxima = maxima

    @classmethod
    def none(cls, cells: int) -> Extremes:
        """Return the minima and maxima of no values."""
        return cls(np.full(cells, np.inf), np.full(cells, -np.inf))

    @classmethod
    def of(cls, cells: Cells, minima: Values, maxima: Values, size: int) -> Extremes:
        """Return the minima and maxima of `size` cells; what is given lies in `cells`."""
        extremes = cls.none(size)
        # On other types than double these would take several times as long.
        np.minimum.at(extremes.minima, cells, minima.astype(np.float64, copy=False))
        np.maximum.at(extremes.maxima, cells, maxima.astype(np.float64, copy=False))
        return extremes

    @classmethod
    def of_runs(cls, starts: Cells, minima: Values, maxima: Values) -> Extremes:
        """Return those of cells whose values are neighbours; each has some, from its start on."""
        return cls(
            np.minimum.reduceat(minima, starts).astype(np.float64, copy=False),
            np.maximum.reduceat(maxima, starts).astype(np.float64, copy=False),
        )

    @classmethod
    def joined(cls, each: Sequence[Extremes | None]) -> Extremes | None:
        """Return the cells of several one after another; None if some are not known."""
        known = [extremes for extremes in each if extremes is not None]
        if len(known) < len(each):
            return None
        none = np.empty(0)
        return cls(
            np.concatenate([none, *(extremes.minima for extremes in known)]),
            np.concatenate([none, *(extremes.maxima for extremes in known)]),
        )

    def merged(self, cells: Cells, size: int) -> Extremes:
        """Return the minima and maxima of `size` cells that these lie in."""
        return Extremes.of(cells, self.minima, self.maxima, size)

    def taken(self, cells: Cells | slice) -> Extremes:
        """Return those of some cells; of neighbouring ones without a copy."""
        return Extremes(self.minima[cells], self.maxima[cells])
