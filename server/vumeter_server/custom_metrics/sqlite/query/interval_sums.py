"""Answers made of a cube of sums by metric and period: what has no filters and no grouping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import check_cells
from vumeter_server.custom_metrics.exact_sums import Floats, join
from vumeter_server.custom_metrics.questions import Sums
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube


def sums_of_all(cube: Cube, names: list[str]) -> Sums:
    """Return a row for each period with a point, of the metrics with a point.

    Args:
        cube: float64[metrics, rows, periods]; the rows are counts, then parts of ExactSums.
        names: the name of each metric of the cube.
    """
    if not cube[:, 0].all():
        present = np.flatnonzero(cube[:, 0].any(axis=1))
        cube = cube[present]
        names = [names[metric] for metric in present.tolist()]
    return sums_of_some(cube, names, names)


def sums_of_some(cube: Cube, known: list[str], names: list[str]) -> Sums:
    """Return a row for each period with a point, of all metrics that are asked for.

    Args:
        cube: as that of `sums_of_all`.
        known: the name of each metric of the cube.
        names: the names that are asked for, those of metrics that there are not among them.
    """
    # The totals are made as if they were one more metric: what numpy does costs the same for it.
    total = cube.sum(axis=0)
    joined = join(list(np.concatenate((cube, total[None])).transpose(1, 0, 2)[1:]))
    table, totals = joined[:-1].T, joined[-1]
    if len(known) < len(names):
        table = _with_unknown(table, names, known)
    (periods,) = total[0].nonzero()
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
