"""Functions of metrics by group and bucket, computed from the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Statistic, check_cells
from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.distributions import joined as join_distributions
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.questions import REST, Grouped, GroupedQuery, Selection
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot, View, with_transaction
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.query.cells import (
    TABLE_BESIDE,
    Cells,
    Computed,
    GatheredPoints,
    numbered,
)
from vumeter_server.custom_metrics.sqlite.query.grouping import Grouping
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter
from vumeter_server.custom_metrics.sqlite.query.plan import Plan
from vumeter_server.custom_metrics.sqlite.query.scan import PointColumns, Scan, Wanted
from vumeter_server.sqlite import check_cancelled

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LEFT_OUT = -2


def answer_grouped(query: GroupedQuery, _: Plan, view: View, __: OrganizationCache) -> Grouped:
    """Answer `query`: each metric's points are read once for all functions of it."""
    snapshot = with_transaction(view)
    grouping = Grouping.of(snapshot, query.group_by)
    sources = [(each.metric_name, tuple(each.filters)) for each in query.columns]
    gathered = {}
    for source in dict.fromkeys(sources):
        statistics = {
            column.function.statistic
            for column, of_column in zip(query.columns, sources, strict=True)
            if of_column == source
        }
        gathered[source] = _gather(snapshot, query, grouping, *source, statistics)
    groups, labels, numbers = _groups(query, grouping, list(gathered.values()))
    cells = {
        source: _cells(query, points, grouping.groups, groups, labels, numbers)
        for source, points in gathered.items()
    }
    columns = []
    for column, source in zip(query.columns, sources, strict=True):
        check_cancelled()
        columns.append(cells[source].compute(column.function))
    return _table(query, snapshot, labels, columns)


def _cells(
    query: GroupedQuery,
    points: GatheredPoints,
    space: int,
    groups: Integers,
    labels: list[tuple[str, ...]],
    numbers: Integers,
) -> Cells:
    """Divide points by bucket and group; those of groups that are left out are dropped."""
    if space <= 4 * len(points.groups) + TABLE_BESIDE:
        table = np.zeros(space, np.int64)
        table[groups] = numbers
        of_point = table[points.groups]
    else:
        of_point = numbers[np.searchsorted(groups, points.groups)]
    if query.groups is not None and not query.has_rest:
        chosen = np.flatnonzero(of_point != _LEFT_OUT)
        points, of_point = points.taken(chosen), of_point[chosen]
    width = len(labels) + 1
    keys = points.buckets * width + of_point + 1
    return Cells(keys, (len(query.bounds_us) - 1) * width, points)


def _gather(
    snapshot: Snapshot,
    query: GroupedQuery,
    grouping: Grouping,
    metric_name: str,
    filters: tuple[Matcher, ...],
    statistics: set[Statistic],
) -> GatheredPoints:
    """Read the points of a metric that match."""
    bounds = np.array(query.bounds_us, np.int64)
    code = snapshot.metrics.codes.get(metric_name)
    with_times, with_sessions = Statistic.LAST in statistics, Statistic.SESSIONS in statistics
    wanted = Wanted(
        times=with_times,
        label_sets=grouping.of_label_set is not None,
        sessions=grouping.by_session or with_sessions,
        distributions=True,
        bounds_us=bounds[1:-1].tolist(),
    )
    parts: list[list[Array | int]] = [[], [], [], [], []]
    counts: list[int] = []
    distributions: list[tuple[Distributions | None, int]] = []
    if code is not None:
        selection = Selection(start_us=int(bounds[0]), end_us=int(bounds[-1]))
        matching = PointFilter(snapshot, (*query.filters, *filters))
        for points in Scan(snapshot, selection, [code], wanted, matching).all():
            counts.append(len(points.values))
            distributions.append((points.distributions, len(points.values)))
            columns = (
                _buckets_of(points, bounds),
                grouping.group_of(points),
                points.values,
                points.times_us if with_times and points.times_us is not None else 0,
                points.sessions if with_sessions and points.sessions is not None else 0,
            )
            for part, column in zip(parts, columns, strict=True):
                part.append(column)
    buckets, groups, values, times_us, sessions = parts
    return GatheredPoints(
        buckets=_joined(buckets, counts, np.int64),
        groups=_joined(groups, counts, np.int64),
        values=_joined(values, counts, np.float64),
        times_us=_joined(times_us, counts, np.int64) if with_times else None,
        sessions=_joined(sessions, counts, np.int64) if with_sessions else None,
        distributions=join_distributions(distributions),
    )


def _joined(parts: Sequence[Array | int], counts: Sequence[int], dtype: type[Any]) -> Array:
    """Return one column of parts, each an array or a number that stands for as many as counted."""
    joined: Array = np.empty(sum(counts), dtype)
    end = 0
    for part, count in zip(parts, counts, strict=True):
        begin, end = end, end + count
        joined[begin:end] = part
    return joined


def _buckets_of(points: PointColumns, bounds: Integers) -> Array | int:
    first, last = np.searchsorted(bounds, points.bounds_us, "right") - 1
    if first == last or points.times_us is None:
        return int(min(max(first, 0), len(bounds) - 2))
    buckets: Array = np.searchsorted(bounds, points.times_us, "right") - 1
    return buckets


def _groups(
    query: GroupedQuery, grouping: Grouping, gathered: Sequence[GatheredPoints]
) -> tuple[Integers, list[tuple[str, ...]], Integers]:
    """Number the groups that occur.

    Returns their codes in the grouping, ascending; the label values of those that are listed; and
    for each code its index among these, REST, or _LEFT_OUT.
    """
    codes, _, _ = numbered(np.concatenate([points.groups for points in gathered]), grouping.groups)
    labels = grouping.labels(codes)
    if query.groups is None:
        return codes, labels, np.arange(len(codes))
    listed = {group: number for number, group in enumerate(query.groups)}
    other = REST if query.has_rest else _LEFT_OUT
    numbers = np.array([listed.get(group, other) for group in labels], np.int64)
    return codes, list(query.groups), numbers


def _table(
    query: GroupedQuery,
    snapshot: Snapshot,
    labels: list[tuple[str, ...]],
    columns: Sequence[Computed],
) -> Grouped:
    distinct = {id(column.keys): column.keys for column in columns}.values()
    rows = np.unique(np.concatenate(list(distinct))) if len(distinct) > 1 else columns[0].keys
    if query.max_cells is not None:
        check_cells(len(rows), len(columns), query.max_cells)
    values = np.full((len(rows), len(columns)), np.nan)
    counts = np.zeros((len(rows), len(columns)), np.int64)
    errors = None
    for index, column in enumerate(columns):
        places: Integers | slice = slice(None)
        if column.keys is not rows:
            places = np.searchsorted(rows, column.keys)
        values[places, index], counts[places, index] = column.values, column.counts
        if column.errors is not None:
            errors = np.zeros(values.shape) if errors is None else errors
            errors[places, index] = column.errors
    width = len(labels) + 1
    known = snapshot.metrics
    codes = (known.codes.get(column.metric_name) for column in query.columns)
    return Grouped(
        types=[None if code is None else known.types[code] for code in codes],
        labels=labels,
        buckets=rows // width,
        groups=rows % width - 1,
        values=values,
        counts=counts,
        errors=errors,
    )
