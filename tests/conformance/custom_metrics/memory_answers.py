"""What the oracle answers: every value is computed from all points of its cell."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from tests.conformance.custom_metrics.memory_data import Organization, Point

from vumeter_server.custom_metrics.aggregation import OF_SESSIONS, Function, Statistic, check_cells
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import (
    REST,
    Grouped,
    GroupedQuery,
    SessionMetric,
    SumQuery,
    Sums,
    Timeseries,
    TimeseriesQuery,
)


def sums_of(points: Sequence[Point], query: SumQuery) -> Sums:
    asked = query.metric_names
    names = sorted({p.name for p in points}) if asked is None else list(asked)
    bounds_us = query.bounds_us or (query.selection.start_us, query.selection.end_us)
    rows: dict[tuple[int, tuple[str, ...]], list[Point]] = {}
    for point in points:
        if point.name in names:
            period = bisect_right(bounds_us, point.time_us) - 1
            group = tuple(point.label(key) for key in query.group_by)
            rows.setdefault((period, group), []).append(point)
    check_cells(len(rows), len(names))
    ordered = sorted(rows)
    table = [[sum_of(p for p in rows[row] if p.name == name) for name in names] for row in ordered]
    return Sums(
        metric_names=names,
        periods=np.array([period for period, _ in ordered], np.int64),
        groups=[group for _, group in ordered],
        sums=np.array(table, np.float64).reshape(len(ordered), len(names)),
        totals=np.array([sum_of(rows[row]) for row in ordered], np.float64),
    )


def timeseries_of(
    points: Iterable[Point], query: TimeseriesQuery, metric_type: MetricType | None
) -> Timeseries:
    buckets: dict[int, list[Point]] = {}
    for point in points:
        if point.name == query.metric_name:
            bucket = (point.time_us - query.selection.start_us) // query.step_us
            buckets.setdefault(bucket, []).append(point)
    ordered = sorted(buckets)
    values = [
        computed(query.functions.of(metric_type), buckets[bucket])
        for bucket in ordered
        if metric_type is not None
    ]
    return Timeseries(
        type=metric_type,
        buckets=np.array(ordered, np.int64),
        values=np.array(values, np.float64),
        counts=np.array([len(buckets[bucket]) for bucket in ordered], np.int64),
    )


def session_of(organization: Organization, session_id: str) -> list[SessionMetric]:
    entries: dict[tuple[str, tuple[tuple[str, str], ...]], list[Point]] = {}
    for point in organization.points:
        if point.label("session_id") == session_id:
            labels = {k: v for k, v in point.labels.items() if k != "session_id"}
            key = (point.name, tuple(sorted(labels.items())))
            entries.setdefault(key, []).append(point)
    return [
        SessionMetric(
            metric_name=name,
            type=organization.types[name],
            labels=dict(labels),
            last_time_us=max(point.time_us for point in points),
            value=computed(OF_SESSIONS.of(organization.types[name]), points),
            count=len(points),
        )
        for (name, labels), points in sorted(entries.items(), key=lambda entry: entry[0])
    ]


def grouped_by_force(organization: Organization, query: GroupedQuery) -> Grouped:
    bounds_us, width = query.bounds_us, len(query.columns)
    cells: dict[tuple[int, tuple[str, ...] | None], list[list[Point]]] = {}
    for point in organization.points:
        if not bounds_us[0] <= point.time_us < bounds_us[-1]:
            continue
        group: tuple[str, ...] | None = tuple(point.label(key) for key in query.group_by)
        if query.groups is not None and group not in query.groups:
            if not query.has_rest:
                continue
            group = None
        for index, column in enumerate(query.columns):
            matchers = (*query.filters, *column.filters)
            if point.name == column.metric_name and all(
                each.matches(point.label(each.label)) for each in matchers
            ):
                row = (bisect_right(bounds_us, point.time_us) - 1, group)
                cells.setdefault(row, [[] for _ in range(width)])[index].append(point)
    if query.max_cells is not None:
        check_cells(len(cells), width, query.max_cells)
    labels = sorted({group for _, group in cells if group is not None})
    rows = sorted(cells, key=lambda row: (row[0], row[1] or ()))
    values, counts = np.full((len(rows), width), np.nan), np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        for index, points in enumerate(cells[row]):
            if points:
                function = query.columns[index].function
                values[number, index] = computed(function, points)
                counts[number, index] = (
                    values[number, index]
                    if function.statistic is Statistic.SESSIONS
                    else len(points)
                )
    return Grouped(
        types=[organization.types.get(column.metric_name) for column in query.columns],
        labels=labels,
        buckets=np.array([bucket for bucket, _ in rows], np.int64),
        groups=np.array(
            [REST if group is None else labels.index(group) for _, group in rows], np.int64
        ),
        values=values,
        counts=counts,
    )


def sum_of(points: Iterable[Point]) -> float:
    return float(sum((point.value for point in points), Fraction(0)))


def computed(function: Function, points: Sequence[Point]) -> float:
    if function.statistic is Statistic.SUM:
        return sum_of(points)
    if function.statistic is Statistic.MEAN:
        return sum_of(points) / len(points)
    if function.statistic is Statistic.LAST:
        # Of equal times the one recorded last; they are in the order of recording.
        return float(sorted(points, key=lambda point: point.time_us)[-1].value)
    if function.statistic is Statistic.COUNT:
        return len(points)
    if function.statistic is Statistic.SESSIONS:
        return len({point.label("session_id") for point in points} - {""})
    values = sorted(point.value for point in points)
    if function.statistic in (Statistic.MIN, Statistic.MAX):
        return float(values[0 if function.statistic is Statistic.MIN else -1])
    return float(values[math.ceil(Fraction(function.percent) / 100 * len(values)) - 1])
