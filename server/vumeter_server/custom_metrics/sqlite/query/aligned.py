"""Sums by metric and period where every bound is one between cells of 15 minutes.

That is what is asked most: whole hours or days, by no label. The totals have it all, the points of
the log among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import check_cells
from vumeter_server.custom_metrics.exact_sums import Floats, join
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US
from vumeter_server.custom_metrics.store import SumQuery, Sums


def is_of_whole_cells(query: SumQuery) -> bool:
    """Whether `query_whole_cells` can answer a query."""
    selection = query.selection
    if selection.filters or query.group_by:
        return False
    bounds_us = query.bounds_us or (selection.start_us, selection.end_us)
    return selection.start_us < selection.end_us and not any(us % CELL_US for us in bounds_us)


def query_whole_cells(snapshot: Snapshot, query: SumQuery) -> Sums:
    """Answer a query that is of whole cells: a row for each period with a point."""
    selection, codes = query.selection, snapshot.metrics.codes
    names = sorted(codes) if query.metric_names is None else list(query.metric_names)
    known = [name for name in names if name in codes]
    bounds_us = query.bounds_us or (selection.start_us, selection.end_us)
    if not known:
        return _sums(names, np.empty(0, np.int64), np.empty((0, len(names))), np.empty(0))
    bounds = np.array(bounds_us, np.int64) // CELL_US
    cube = snapshot.totals_between([codes[name] for name in known], bounds)
    counts, parts = cube[:, 0], [cube[:, row] for row in range(1, cube.shape[1])]
    periods = np.flatnonzero(counts.any(axis=0))
    table = join(parts).T
    totals = join([part.sum(axis=0) for part in parts])
    if query.metric_names is None:
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
    return _sums(names, periods, table, totals)


def _with_unknown(
    table: Floats,
    names: Sequence[str],
    known: Sequence[str],
) -> Floats:
    """Return the table with a column for every name; metrics that there are not have no points."""
    wide = np.zeros((len(table), len(names)))
    wide[:, [names.index(name) for name in known]] = table
    return wide


def _sums(
    names: list[str],
    periods: npt.NDArray[np.int64],
    table: Floats,
    totals: Floats,
) -> Sums:
    return Sums(
        metric_names=names,
        periods=periods,
        groups=[()] * len(periods),
        sums=table,
        totals=totals,
    )
