"""Functions of metrics by group and bucket: each source as its plan says, then one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Statistic, check_cells
from vumeter_server.custom_metrics.questions import REST, Grouped, GroupedQuery, Selection
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.ingest.interning import distinct
from vumeter_server.custom_metrics.sqlite.query.cells import (
    TABLE_BESIDE,
    Cells,
    Computed,
)
from vumeter_server.custom_metrics.sqlite.query.gathered_points import (
    GatheredPoints,
    gather,
    narrowest,
)
from vumeter_server.custom_metrics.sqlite.query.grouped_plan import SourcePlan, plan_grouped
from vumeter_server.custom_metrics.sqlite.query.grouped_sums import gather_sums
from vumeter_server.custom_metrics.sqlite.query.grouping import Grouping
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter
from vumeter_server.custom_metrics.sqlite.query.plan import Source
from vumeter_server.custom_metrics.sqlite.query.point_columns import PointColumns
from vumeter_server.custom_metrics.sqlite.query.scan import Scan, Wanted
from vumeter_server.custom_metrics.sqlite.query.summed_cells import GatheredSums, SummedCells
from vumeter_server.sqlite import check_cancelled

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Gathered = GatheredPoints | GatheredSums

_LEFT_OUT = -2


def answer_grouped(query: GroupedQuery, snapshot: Snapshot, cache: OrganizationCache) -> Grouped:
    """Answer `query`: each source is read once for all functions of it."""
    grouping = Grouping.of(snapshot, query.group_by)
    plans = plan_grouped(query, snapshot)
    gathered = [_gather(snapshot, cache, query, plan, grouping) for plan in plans]
    groups, labels, numbers = _groups(query, grouping, gathered)
    columns: dict[int, Computed] = {}
    for plan, of_source in zip(plans, gathered, strict=True):
        cells = _cells(query, of_source, grouping.groups, groups, labels, numbers)
        for index in plan.columns:
            check_cancelled()
            columns[index] = cells.compute(query.columns[index].function)
    return _table(query, snapshot, labels, [columns[index] for index in range(len(columns))])


def _gather(
    snapshot: Snapshot,
    cache: OrganizationCache,
    query: GroupedQuery,
    plan: SourcePlan,
    grouping: Grouping,
) -> Gathered:
    if plan.source not in (Source.POINTS, Source.NOTHING):
        found = gather_sums(snapshot, cache, query, plan, grouping)
        if found is not None:
            return found
    return _gather_points(snapshot, query, plan, grouping)


def _cells(
    query: GroupedQuery,
    gathered: Gathered,
    space: int,
    groups: Integers,
    labels: list[tuple[str, ...]],
    numbers: Integers,
) -> Cells | SummedCells:
    """Divide points or sums by bucket and group; those of groups that are left out are dropped."""
    width = len(labels) + 1
    size = (len(query.bounds_us) - 1) * width
    left_out = width
    dtype = narrowest(size + 1)
    numbers = np.where(numbers == _LEFT_OUT, left_out, numbers + 1).astype(dtype)
    if len(groups) == 1:
        number = np.broadcast_to(numbers, len(gathered.groups))
    elif space <= 4 * len(gathered.groups) + TABLE_BESIDE:
        table = np.zeros(space, dtype)
        table[groups] = numbers
        number = table.take(gathered.groups)
    else:
        number = numbers[np.searchsorted(groups, gathered.groups)]
    if query.groups is not None and not query.has_rest:
        chosen = np.flatnonzero(number != left_out)
        gathered, number = gathered.taken(chosen), number[chosen]
    keys = np.multiply(gathered.buckets, width, dtype=dtype, casting="unsafe")
    keys += number
    if isinstance(gathered, GatheredSums):
        return SummedCells(keys, size, gathered)
    return Cells(keys, size, gathered)


def _gather_points(
    snapshot: Snapshot, query: GroupedQuery, plan: SourcePlan, grouping: Grouping
) -> GatheredPoints:
    """Read the points of a metric that match."""
    bounds = np.array(query.bounds_us, np.int64)
    with_times = Statistic.LAST in plan.statistics
    with_sessions = Statistic.SESSIONS in plan.statistics
    # How many sessions there are does not depend on what their points are.
    with_values = set(plan.statistics) != {Statistic.SESSIONS}
    wanted = Wanted(
        values=with_values,
        times=with_times,
        label_sets=grouping.of_label_set is not None,
        sessions=grouping.by_session or with_sessions,
        distributions=with_values,
        bounds_us=bounds[1:-1].tolist(),
    )
    found: Iterable[PointColumns] = ()
    if plan.code is not None:
        selection = Selection(start_us=int(bounds[0]), end_us=int(bounds[-1]))
        matching = PointFilter(snapshot, plan.matchers)
        found = Scan(snapshot, selection, [plan.code], wanted, matching).all()
    return gather(
        found,
        bounds,
        grouping.group_of,
        with_values=with_values,
        with_times=with_times,
        with_sessions=with_sessions,
    )


def _groups(
    query: GroupedQuery, grouping: Grouping, gathered: Sequence[Gathered]
) -> tuple[Integers, list[tuple[str, ...]], Integers]:
    """Number the groups that occur.

    Returns their codes in the grouping, ascending; the label values of those that are listed; and
    for each code its index among these, REST, or _LEFT_OUT.
    """
    # Where all points are of one group, it stands for all of them.
    codes = distinct(
        np.concatenate(
            [
                each.groups[:1] if each.groups.strides == (0,) else distinct(each.groups)
                for each in gathered
            ]
        )
    )
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
    different = {id(column.keys): column.keys for column in columns}.values()
    rows = np.unique(np.concatenate(list(different))) if len(different) > 1 else columns[0].keys
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
