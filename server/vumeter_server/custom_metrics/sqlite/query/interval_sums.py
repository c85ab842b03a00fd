"""Answers made of a cube of sums by metric and period: what has no filters and no grouping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import check_cells
from vumeter_server.custom_metrics.exact_sums import Floats, join
from vumeter_server.custom_metrics.questions import Sums
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube


def sums_of_cube(cube: Cube, known: list[str], names: list[str], *, all_names: bool) -> Sums:
    """Return a row for each period with a point.

    Args:
        cube: float64[metrics, rows, periods]; the rows are counts, then parts of ExactSums.
        known: the name of each metric of the cube.
        names: the names that are asked for, those of metrics that there are not among them.
        all_names: whether metrics without a point are left out.
    """
    counts, parts = cube[:, 0], [cube[:, row] for row in range(1, cube.shape[1])]
    periods = np.flatnonzero(counts.any(axis=0))
    table = join(parts).T
    totals = join([part.sum(axis=0) for part in parts])
    if all_names:
        present = np.flatnonzero(counts.any(axis=1))
        if len(present) < len(known):
            table = table[:, present]
            known = [known[column] for column in present.tolist()]
        names = known
    elif len(known) < len(names):
        table = _with_unknown(table, names, known)
    check_cells(len(periods), len(names))
    if len(periods) < len(table):
        table, totals = table[periods], totals[periods]
    return Sums(
        metric_names=names,
        periods=periods,
        groups=[()] * len(periods),
        sums=table,
        totals=totals,
    )


def no_sums(names: list[str]) -> Sums:
    """Return the answer without a row."""
    none: npt.NDArray[np.int64] = np.empty(0, np.int64)
    return Sums(
        metric_names=names,
        periods=none,
        groups=[],
        sums=np.empty((0, len(names))),
        totals=np.empty(0),
    )


def _with_unknown(table: Floats, names: Sequence[str], known: Sequence[str]) -> Floats:
    """Return the table with a column for every name; metrics that there are not have no points."""
    wide = np.zeros((len(table), len(names)))
    wide[:, [names.index(name) for name in known]] = table
    return wide
