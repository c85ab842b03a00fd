"""Functions of sums, counts, minima and maxima by cell, a cell being a bucket of a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.sqlite.query.cells import Computed, numbered

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GatheredSums:
    """What rollups, and the points beside them, have of one metric; several entries per cell.

    Attributes:
        buckets, groups: int64[entries].
        sums: of each entry.
        extremes: of each entry; None if no function asks for them.
    """

    buckets: Integers
    groups: Integers
    sums: ExactSums
    extremes: Extremes | None

    def taken(self, chosen: Integers) -> GatheredSums:
        """Return some of the entries."""
        return GatheredSums(
            buckets=self.buckets[chosen],
            groups=self.groups[chosen],
            sums=self.sums.taken(chosen),
            extremes=None if self.extremes is None else self.extremes.taken(chosen),
        )


class SummedCells:
    """The sums of each cell.

    Attributes:
        keys: int64[cells], ascending.
        counts: int64[cells], how many values each has.
    """

    def __init__(self, keys: npt.NDArray[Any], space: int, gathered: GatheredSums) -> None:
        """Add entries up by `keys`, integer[entries], from 0 to `space` - 1."""
        self.keys, places, _ = numbered(keys, space)
        sums = ExactSums.zeros(len(self.keys))
        sums.merge(places, gathered.sums)
        self.counts = sums.counts
        self._totals = sums.totals()
        self._extremes = None
        if gathered.extremes is not None:
            self._extremes = gathered.extremes.merged(places, len(self.keys))

    def compute(self, function: Function) -> Computed:
        """Return a function of each cell."""
        match function.statistic:
            case Statistic.SUM:
                values = self._totals
            case Statistic.MEAN:
                values = self._totals / self.counts
            case Statistic.COUNT:
                values = self.counts.astype(np.float64)
            case Statistic.MIN if self._extremes is not None:
                values = self._extremes.minima
            case Statistic.MAX if self._extremes is not None:
                values = self._extremes.maxima
            case _:
                raise ValueError("sums were gathered for another function")
        return Computed(keys=self.keys, values=values, counts=self.counts)
