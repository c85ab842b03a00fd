"""Functions of metrics by group and bucket: a statement for each metric with its filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.aggregation import Function, Statistic, check_cells
from vumeter_server.custom_metrics.clickhouse.aggregates import aggregates_of, texts, values_of
from vumeter_server.custom_metrics.clickhouse.buckets import TimeBuckets
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.distributed import (
    POINT_COLUMNS,
    distributed_percentiles,
)
from vumeter_server.custom_metrics.clickhouse.statements import Statement, select
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.questions import REST, Grouped, GroupedQuery

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Ask = Callable[[Statement], pa.Table]
Group = tuple[str, ...] | None
"""The label values of a group; None for the rest."""
Row = tuple[int, Group]


@dataclass(slots=True)
class _Source:
    """The points that some columns are computed of."""

    metric_name: str
    filters: Sequence[Matcher]
    functions: dict[int, Function] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Column:
    rows: list[Row]
    values: Floats
    counts: Integers
    errors: Floats | None = None


def answer_grouped(
    clickhouse: ClickHouse, moment: Moment, query: GroupedQuery, ask: Ask
) -> Grouped:
    """Answer `query`; `ask` answers a statement, and is called on the thread that this runs on."""
    buckets = TimeBuckets.between(query.bounds_us)
    columns: dict[int, _Column] = {}
    for source in _sources(query):
        columns |= _computed(clickhouse, moment, query, buckets, source, ask)
    return _table(query, moment, [columns[index] for index in range(len(query.columns))])


def _sources(query: GroupedQuery) -> Sequence[_Source]:
    sources: dict[tuple[str, tuple[Matcher, ...]], _Source] = {}
    for index, column in enumerate(query.columns):
        key = (column.metric_name, tuple(column.filters))
        source = sources.setdefault(key, _Source(column.metric_name, column.filters))
        source.functions[index] = column.function
    return list(sources.values())


def _computed(
    clickhouse: ClickHouse,
    moment: Moment,
    query: GroupedQuery,
    buckets: TimeBuckets,
    source: _Source,
    ask: Ask,
) -> dict[int, _Column]:
    parameters = Parameters()
    conditions = [
        parameters.is_seen_at(moment),
        f"metric = {parameters.text(source.metric_name)}",
        f"time_us >= {int(query.bounds_us[0])}",
        f"time_us < {int(query.bounds_us[-1])}",
        *map(parameters.matches, (*query.filters, *source.filters)),
    ]
    keys = _keys(query, buckets, parameters, conditions)
    most = None if query.max_cells is None else query.max_cells // len(query.columns)
    statement = select(
        clickhouse,
        keys,
        aggregates_of(source.functions),
        conditions,
        parameters,
        most_groups=most,
    )
    table = ask(statement)
    if query.max_cells is not None:
        check_cells(table.num_rows, len(query.columns), query.max_cells)
    rows = _rows(table, query, buckets)
    computed = {}
    for index, function in source.functions.items():
        values, counts = values_of(table, index, function)
        computed[index] = _Column(rows, values, counts)
    percentiles = {
        index: function
        for index, function in source.functions.items()
        if function.statistic is Statistic.PERCENTILE
    }
    if percentiles and table.column("distributions").to_numpy().any():
        elements = ask(
            select(
                clickhouse,
                {},
                {**keys, **POINT_COLUMNS},
                conditions,
                parameters,
                is_aggregated=False,
            )
        )
        places = {row: place for place, row in enumerate(rows)}
        cells = np.array([places[row] for row in _rows(elements, query, buckets)], np.int64)
        for index, function in percentiles.items():
            column = computed[index]
            column.values, column.errors = distributed_percentiles(
                elements, cells, len(rows), function.percent
            )
    return computed


def _keys(
    query: GroupedQuery, buckets: TimeBuckets, parameters: Parameters, conditions: list[str]
) -> dict[str, str]:
    """Return what distinguishes cells; groups that are not listed are left out, or are the rest."""
    keys = {"bucket": buckets.expression} if buckets.expression else {}
    labels = [parameters.label(key) for key in query.group_by]
    if query.groups is None:
        return keys | {f"g{index}": label for index, label in enumerate(labels)}
    is_listed = parameters.is_one_of_groups(labels, query.groups)
    if not query.has_rest:
        conditions.append(is_listed)
        return keys | {f"g{index}": label for index, label in enumerate(labels)}
    keys["is_rest"] = f"NOT {is_listed}"
    return keys | {
        f"g{index}": f"if({is_listed}, toString({label}), '')" for index, label in enumerate(labels)
    }


def _rows(table: pa.Table, query: GroupedQuery, buckets: TimeBuckets) -> list[Row]:
    """Return the bucket and the group of each row of an answer."""
    numbers = buckets.numbers(table).tolist()
    columns = [texts(table, f"g{index}") for index in range(len(query.group_by))]
    groups: list[Group] = list(zip(*columns, strict=True)) if columns else [()] * len(numbers)
    if query.groups is not None and query.has_rest:
        is_rest = table.column("is_rest").to_pylist()
        groups = [None if rest else group for rest, group in zip(is_rest, groups, strict=True)]
    return list(zip(numbers, groups, strict=True))


def _table(query: GroupedQuery, moment: Moment, columns: Sequence[_Column]) -> Grouped:
    """Put columns side by side; a column without points in a row is NaN and 0."""
    rows: dict[Row, int] = {}
    for column in columns:
        for row in column.rows:
            rows.setdefault(row, len(rows))
    if query.max_cells is not None:
        check_cells(len(rows), len(columns), query.max_cells)
    values = np.full((len(rows), len(columns)), np.nan)
    counts = np.zeros((len(rows), len(columns)), np.int64)
    errors = None
    for index, column in enumerate(columns):
        places = np.array([rows[row] for row in column.rows], np.int64)
        values[places, index], counts[places, index] = column.values, column.counts
        if column.errors is not None:
            errors = np.zeros(values.shape) if errors is None else errors
            errors[places, index] = column.errors
    labels = list(query.groups) if query.groups is not None else _distinct(rows)
    numbers = {group: number for number, group in enumerate(labels)}
    metrics = (moment.metrics.get(column.metric_name) for column in query.columns)
    return Grouped(
        types=[None if metric is None else metric.type for metric in metrics],
        labels=labels,
        buckets=np.array([bucket for bucket, _ in rows], np.int64),
        groups=np.array([REST if group is None else numbers[group] for _, group in rows], np.int64),
        values=values,
        counts=counts,
        errors=errors,
    )


def _distinct(rows: dict[Row, int]) -> list[tuple[str, ...]]:
    return sorted({group for _, group in rows if group is not None})
