"""Functions of metrics by group and bucket, computed from the points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Function, Statistic, check_cells, rank_of
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.questions import REST, Grouped, GroupedQuery, Selection
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot, View, with_transaction
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.query.grouping import Grouping
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter
from vumeter_server.custom_metrics.sqlite.query.plan import Plan
from vumeter_server.custom_metrics.sqlite.query.scan import PointColumns, Scan, Wanted
from vumeter_server.sqlite import check_cancelled

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LEFT_OUT = -2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Gathered:
    """The points of one metric that match, in the order of recording where times are equal.

    Attributes:
        buckets, groups: int64[points].
        values: float64[points].
        times_us: int64[points]; None if no function asks for the last value.
        sessions: int64[points], -1 for none; None if no function asks for sessions.
    """

    buckets: Integers
    groups: Integers
    values: Floats
    times_us: Integers | None
    sessions: Integers | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Column:
    """Values and counts by row key: `keys` ascend, and all arrays are as long."""

    keys: Integers
    values: Floats
    counts: Integers


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
    width = len(labels) + 1
    columns = []
    for column, source in zip(query.columns, sources, strict=True):
        check_cancelled()
        points = gathered[source]
        of_point = numbers[np.searchsorted(groups, points.groups)]
        chosen = None if (of_point != _LEFT_OUT).all() else np.flatnonzero(of_point != _LEFT_OUT)
        keys = points.buckets * width + of_point + 1
        columns.append(_column(column.function, keys, points, chosen))
    return _table(query, snapshot, labels, columns)


def _gather(
    snapshot: Snapshot,
    query: GroupedQuery,
    grouping: Grouping,
    metric_name: str,
    filters: tuple[Matcher, ...],
    statistics: set[Statistic],
) -> _Gathered:
    """Read the points of a metric that match."""
    bounds = np.array(query.bounds_us, np.int64)
    code = snapshot.metrics.codes.get(metric_name)
    with_times, with_sessions = Statistic.LAST in statistics, Statistic.SESSIONS in statistics
    wanted = Wanted(
        times=with_times,
        label_sets=grouping.of_label_set is not None,
        sessions=grouping.by_session or with_sessions,
        bounds_us=bounds[1:-1].tolist(),
    )
    parts: list[list[Array]] = [[], [], [], [], []]
    if code is not None:
        selection = Selection(start_us=int(bounds[0]), end_us=int(bounds[-1]))
        matching = PointFilter(snapshot, (*query.filters, *filters))
        for points in Scan(snapshot, selection, [code], wanted, matching).all():
            count = len(points.values)
            columns = (
                _buckets_of(points, bounds),
                grouping.group_of(points),
                points.values,
                points.times_us if with_times else 0,
                points.sessions if with_sessions else 0,
            )
            for part, column in zip(parts, columns, strict=True):
                part.append(np.broadcast_to(np.asarray(column), count))
    buckets, groups, values, times_us, sessions = (
        np.concatenate([np.empty(0, np.int64), *part]) for part in parts
    )
    return _Gathered(
        buckets=buckets.astype(np.int64),
        groups=groups.astype(np.int64),
        values=values.astype(np.float64),
        times_us=times_us.astype(np.int64) if with_times else None,
        sessions=sessions.astype(np.int64) if with_sessions else None,
    )


def _buckets_of(points: PointColumns, bounds: Integers) -> Array | int:
    first, last = np.searchsorted(bounds, points.bounds_us, "right") - 1
    if first == last or points.times_us is None:
        return int(min(max(first, 0), len(bounds) - 2))
    buckets: Array = np.searchsorted(bounds, points.times_us, "right") - 1
    return buckets


def _groups(
    query: GroupedQuery, grouping: Grouping, gathered: Sequence[_Gathered]
) -> tuple[Integers, list[tuple[str, ...]], Integers]:
    """Number the groups that occur.

    Returns their codes in the grouping, ascending; the label values of those that are listed; and
    for each code its index among these, REST, or _LEFT_OUT.
    """
    codes = np.unique(np.concatenate([points.groups for points in gathered]))
    labels = grouping.labels(codes)
    if query.groups is None:
        return codes, labels, np.arange(len(codes))
    listed = {group: number for number, group in enumerate(query.groups)}
    other = REST if query.has_rest else _LEFT_OUT
    numbers = np.array([listed.get(group, other) for group in labels], np.int64)
    return codes, list(query.groups), numbers


def _column(
    function: Function, keys: Integers, points: _Gathered, chosen: Integers | None
) -> _Column:
    """Compute a function for each key."""
    values, times_us, sessions = points.values, points.times_us, points.sessions
    if chosen is not None:
        keys, values = keys[chosen], values[chosen]
        times_us = None if times_us is None else times_us[chosen]
        sessions = None if sessions is None else sessions[chosen]
    match function.statistic:
        case Statistic.PERCENTILE:
            return _percentiles(keys, values, function.percent)
        case Statistic.LAST if times_us is not None:
            return _last(keys, values, times_us)
        case Statistic.SESSIONS if sessions is not None:
            return _sessions(keys, sessions)
        case Statistic.MIN | Statistic.MAX:
            return _extremes(keys, values, function.statistic)
    found, places = np.unique(keys, return_inverse=True)
    if function.statistic is Statistic.COUNT:
        counts = np.bincount(places, minlength=len(found))
        return _Column(keys=found, values=counts.astype(np.float64), counts=counts)
    sums = ExactSums.of(places, values, len(found))
    totals = sums.totals()
    if function.statistic is Statistic.MEAN:
        totals = totals / sums.counts
    return _Column(keys=found, values=totals, counts=sums.counts)


def _runs(keys: Integers) -> tuple[Integers, Integers, Integers]:
    """Return the distinct keys of sorted ones, where each begins, and how many of it there are."""
    found, starts, counts = np.unique(keys, return_index=True, return_counts=True)
    return found, starts, counts


def _percentiles(keys: Integers, values: Floats, percent: int | Fraction) -> _Column:
    order = np.lexsort((values, keys))
    found, starts, counts = _runs(keys[order])
    distinct, places = np.unique(counts, return_inverse=True)
    ranks = np.array([rank_of(count, percent) for count in distinct.tolist()], np.int64)
    chosen = order[starts + ranks[places] - 1] if len(found) else order
    return _Column(keys=found, values=values[chosen], counts=counts)


def _last(keys: Integers, values: Floats, times_us: Integers) -> _Column:
    # The sort is stable: of equal times the one recorded last comes last.
    order = np.lexsort((times_us, keys))
    found, starts, counts = _runs(keys[order])
    return _Column(keys=found, values=values[order[starts + counts - 1]], counts=counts)


def _extremes(keys: Integers, values: Floats, kind: Statistic) -> _Column:
    order = np.argsort(keys, kind="stable")
    found, starts, counts = _runs(keys[order])
    reduce = np.minimum if kind is Statistic.MIN else np.maximum
    extremes = reduce.reduceat(values[order], starts) if len(found) else values
    return _Column(keys=found, values=extremes, counts=counts)


def _sessions(keys: Integers, sessions: Integers) -> _Column:
    """Count distinct sessions; a key whose points have none counts 0."""
    found, places = np.unique(keys, return_inverse=True)
    known = sessions >= 0
    order = np.lexsort((sessions[known], places[known]))
    of_key, of_session = places[known][order], sessions[known][order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (of_key[1:] != of_key[:-1]) | (of_session[1:] != of_session[:-1])
    counts = np.bincount(of_key[is_first], minlength=len(found))
    return _Column(keys=found, values=counts.astype(np.float64), counts=counts)


def _table(
    query: GroupedQuery,
    snapshot: Snapshot,
    labels: list[tuple[str, ...]],
    columns: Sequence[_Column],
) -> Grouped:
    rows = np.unique(np.concatenate([column.keys for column in columns]))
    if query.max_cells is not None:
        check_cells(len(rows), len(columns), query.max_cells)
    values = np.full((len(rows), len(columns)), np.nan)
    counts = np.zeros((len(rows), len(columns)), np.int64)
    for index, column in enumerate(columns):
        places = np.searchsorted(rows, column.keys)
        values[places, index], counts[places, index] = column.values, column.counts
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
    )
