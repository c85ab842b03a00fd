"""The documented JSON of query answers, written from columns.

Numbers follow `vumeter_server.numbers`: whole values as integers, others with at most 12
significant digits.
"""

from __future__ import annotations

from typing import Any

import orjson

from vumeter_server.custom_metrics.query import Rows
from vumeter_server.custom_metrics.questions import MetricInfo, SessionMetric, TagValues, Timeseries
from vumeter_server.numbers import (
    epoch_seconds,
    json_numbers,
    many_epoch_seconds,
    text_number,
    text_numbers,
)


def render_aggregate(rows: Rows) -> bytes:
    """Write `{"data": {...}}`, or an array of groups where the rows are grouped."""
    metrics = _metrics(rows)
    if not rows.group_by:
        return _data(metrics[0])
    return _data(
        [
            {**dict(zip(rows.group_by, group, strict=True)), "metrics": each}
            for group, each in zip(rows.groups, metrics, strict=True)
        ]
    )


def render_daily(rows: Rows) -> bytes:
    """Write an array of days, or of groups on days."""
    if not rows.group_by:
        days = (rows.dates[day].isoformat() for day in rows.days)
        return _data(
            [
                {"date": date, "metrics": metrics}
                for date, metrics in zip(days, _metrics(rows), strict=True)
            ]
        )
    dates = [day.isoformat() for day in rows.dates]
    return _data(
        [
            {
                "date": dates[day],
                **dict(zip(rows.group_by, group, strict=True)),
                "metrics": each,
            }
            for day, group, each in zip(rows.days, rows.groups, _metrics(rows), strict=True)
        ]
    )


def render_timeseries(
    metric_name: str, start_us: int, step_us: int, timeseries: Timeseries
) -> bytes:
    """Write a matrix of at most one series, as pairs of epoch seconds and text."""
    starts = many_epoch_seconds(start_us + timeseries.buckets * step_us)
    values = list(zip(starts, text_numbers(timeseries.values), strict=True))
    result = [{"metric": {"metric_name": metric_name}, "values": values}] if values else []
    return _data({"resultType": "matrix", "result": result})


def render_metrics(metrics: list[MetricInfo]) -> bytes:
    """Write an array of metrics."""
    return _data(
        [
            {
                "name": each.name,
                "type": each.type.name.lower(),
                "unit": each.unit,
                "description": each.description,
            }
            for each in metrics
        ]
    )


def render_tags(tags: dict[str, TagValues]) -> bytes:
    """Write an object of arrays."""
    return _data({key: each.values for key, each in tags.items()})


def render_session(metrics: list[SessionMetric]) -> bytes:
    """Write a vector: an entry for each metric and label set."""
    result = [
        {
            "metric": {"metric_name": metric.metric_name} | dict(metric.labels),
            "value": [epoch_seconds(metric.last_time_us), text_number(metric.value)],
        }
        for metric in metrics
    ]
    return _data({"resultType": "vector", "result": result})


def _metrics(rows: Rows) -> list[dict[str, Any]]:
    width = len(rows.metric_names)
    numbers = json_numbers(rows.sums.reshape(-1))
    names = rows.metric_names
    return [
        dict(zip(names, numbers[row * width : (row + 1) * width], strict=True))
        for row in range(len(rows.groups))
    ]


def _data(data: Any) -> bytes:
    return orjson.dumps({"data": data})
