"""What a query of sums asks about: metrics, periods and labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.questions import SumQuery
from vumeter_server.custom_metrics.sqlite.cache.view import View

Integers = npt.NDArray[np.int64]


def names_of(query: SumQuery, view: View) -> list[str]:
    """Return the metrics that are asked for; all there are, sorted, if none is named."""
    return list(view.metrics.sorted_names if query.metric_names is None else query.metric_names)


def codes_of(query: SumQuery, view: View) -> tuple[int, ...]:
    """Return the interned ids of those that there are of the metrics that are asked for."""
    if query.metric_names is None:
        return view.metrics.codes_by_name
    codes = view.metrics.codes
    return tuple([codes[name] for name in query.metric_names if name in codes])


def bounds_of(query: SumQuery) -> Integers:
    """Return the bounds of the periods: int64[periods + 1], microseconds since the epoch."""
    selection = query.selection
    return np.array(query.bounds_us or (selection.start_us, selection.end_us), np.int64)


def labels_of(query: SumQuery) -> set[str]:
    """Return the labels that decide which points count, and where."""
    return {key for key, _ in query.selection.filters} | set(query.group_by)
