"""One metric by bucket: what its type asks for."""

from __future__ import annotations

import numpy as np

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.aggregation import Statistic
from vumeter_server.custom_metrics.clickhouse.aggregates import aggregates_of, values_of
from vumeter_server.custom_metrics.clickhouse.buckets import TimeBuckets
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.distributed import (
    POINT_COLUMNS,
    distributed_percentiles,
)
from vumeter_server.custom_metrics.clickhouse.statements import ask, select
from vumeter_server.custom_metrics.questions import Timeseries, TimeseriesQuery


async def answer_timeseries(
    clickhouse: ClickHouse, moment: Moment, query: TimeseriesQuery
) -> Timeseries:
    """Answer `query`."""
    metric = moment.metrics.get(query.metric_name)
    if metric is None:
        none = np.empty(0, np.int64)
        return Timeseries(type=None, buckets=none, values=none.astype(np.float64), counts=none)
    function = query.functions.of(metric.type)
    selection, parameters = query.selection, Parameters()
    conditions = [
        parameters.is_seen_at(moment),
        f"metric = {parameters.text(query.metric_name)}",
        f"time_us >= {int(selection.start_us)}",
        f"time_us < {int(selection.end_us)}",
        *parameters.has_labels(selection.filters),
    ]
    buckets = TimeBuckets.of_width(selection.start_us, query.step_us)
    keys = {"bucket": buckets.expression}
    statement = select(clickhouse, keys, aggregates_of({0: function}), conditions, parameters)
    table = (await ask(clickhouse, statement)).sort_by("bucket")
    numbers = buckets.numbers(table)
    values, counts = values_of(table, 0, function)
    errors = None
    is_distributed = bool(table.column("distributions").to_numpy().any())
    if function.statistic is Statistic.PERCENTILE and is_distributed:
        columns = {**keys, **POINT_COLUMNS}
        points = await ask(
            clickhouse,
            select(clickhouse, {}, columns, conditions, parameters, is_aggregated=False),
        )
        cells = np.searchsorted(numbers, buckets.numbers(points))
        values, errors = distributed_percentiles(points, cells, len(numbers), function.percent)
    return Timeseries(
        type=metric.type, buckets=numbers, values=values, counts=counts, errors=errors
    )
