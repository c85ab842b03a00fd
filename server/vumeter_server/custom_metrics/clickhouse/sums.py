"""Sums by metric, group and period."""

from __future__ import annotations

import asyncio

import numpy as np
import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.aggregation import MAX_CELLS, check_cells
from vumeter_server.custom_metrics.clickhouse.aggregates import COUNT, EXACT_SUMS, sums_of, texts
from vumeter_server.custom_metrics.clickhouse.buckets import TimeBuckets
from vumeter_server.custom_metrics.clickhouse.catalogs import ON_LOOP
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.statements import ask, select
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.questions import SumQuery, Sums


async def answer_sums(clickhouse: ClickHouse, moment: Moment, query: SumQuery) -> Sums:
    """Answer `query`: one row for each period and group with a point of a metric asked for."""
    parameters = Parameters()
    selection = query.selection
    conditions = [
        parameters.is_seen_at(moment),
        f"time_us >= {int(selection.start_us)}",
        f"time_us < {int(selection.end_us)}",
    ]
    if query.metric_names is not None:
        conditions.append(parameters.is_one_of("metric", query.metric_names))
    conditions += parameters.has_labels(selection.filters)
    buckets = TimeBuckets.between(query.bounds_us or (selection.start_us, selection.end_us))
    keys = {"metric": "metric"}
    if buckets.expression:
        keys["bucket"] = buckets.expression
    keys |= {f"g{index}": parameters.label(key) for index, key in enumerate(query.group_by)}
    columns = {"count": COUNT, **EXACT_SUMS}
    statement = select(clickhouse, keys, columns, conditions, parameters, most_groups=MAX_CELLS)
    table = await ask(clickhouse, statement)
    if table.num_rows <= ON_LOOP:
        return _folded(table, query, buckets)
    return await asyncio.to_thread(_folded, table, query, buckets)


def _folded(table: pa.Table, query: SumQuery, buckets: TimeBuckets) -> Sums:
    found = texts(table, "metric")
    names = sorted(set(found)) if query.metric_names is None else list(query.metric_names)
    columns = {name: index for index, name in enumerate(names)}
    groups = (
        list(zip(*(texts(table, f"g{index}") for index in range(len(query.group_by))), strict=True))
        or [()] * table.num_rows
    )
    periods = buckets.numbers(table).tolist()
    numbers: dict[tuple[int, tuple[str, ...]], int] = {}
    keys = zip(periods, groups, strict=True)
    for key in sorted(set(keys)):
        numbers[key] = len(numbers)
    check_cells(len(numbers), len(names))
    rows = np.array([numbers[key] for key in zip(periods, groups, strict=True)], np.int64).reshape(
        -1
    )
    metrics = np.array([columns[name] for name in found], np.int64)
    cells = sums_of(table)
    by_cell = ExactSums.zeros(len(numbers) * len(names))
    by_cell.put(rows * len(names) + metrics, cells)
    by_row = ExactSums.zeros(len(numbers))
    by_row.merge(rows, cells)
    return Sums(
        metric_names=names,
        periods=np.array([period for period, _ in numbers], np.int64),
        groups=[group for _, group in numbers],
        sums=by_cell.totals().reshape(len(numbers), len(names)),
        totals=by_row.totals(),
    )
