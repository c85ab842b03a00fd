"""What one session recorded, by metric and label set."""

from __future__ import annotations

from typing import Any

import numpy as np

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.aggregation import LAST, OF_SESSIONS, P95, SUM
from vumeter_server.custom_metrics.clickhouse.aggregates import aggregates_of, texts, values_of
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.distributed import (
    POINT_COLUMNS,
    distributed_percentiles,
)
from vumeter_server.custom_metrics.clickhouse.statements import ask, select
from vumeter_server.custom_metrics.model import LabelSet
from vumeter_server.custom_metrics.questions import SessionMetric

_FUNCTIONS = {0: SUM, 1: LAST, 2: P95}
_KEYS = {name: name for name in ("metric", "agent", "environment", "tags")}


async def answer_session(
    clickhouse: ClickHouse, moment: Moment, session_id: str
) -> list[SessionMetric]:
    """Return an entry for each metric and label set, sorted by metric name, then labels."""
    parameters = Parameters()
    conditions = [
        parameters.is_seen_at(moment),
        f"session = {parameters.text(session_id)}",
    ]
    columns = {**aggregates_of(_FUNCTIONS), "last_time_us": "max(time_us)"}
    statement = select(clickhouse, _KEYS, columns, conditions, parameters)
    table = await ask(clickhouse, statement)
    cells = _cells_of(table)
    computed = [values_of(table, index, function) for index, function in _FUNCTIONS.items()]
    by_function = dict(zip(_FUNCTIONS.values(), computed, strict=True))
    errors = np.zeros(len(cells))
    if table.column("distributions").to_numpy().any():
        statement = select(
            clickhouse,
            {},
            {**_KEYS, **POINT_COLUMNS},
            conditions,
            parameters,
            is_aggregated=False,
        )
        points = await ask(clickhouse, statement)
        places = {cell: place for place, cell in enumerate(cells)}
        of_points = np.array([places[cell] for cell in _cells_of(points)], np.int64)
        values, errors = distributed_percentiles(points, of_points, len(cells), P95.percent)
        by_function[P95] = (values, by_function[P95][1])
    last_times = table.column("last_time_us").to_pylist()
    found = []
    for place, (name, label_set) in enumerate(cells):
        metric = moment.metrics[name]
        function = OF_SESSIONS.of(metric.type)
        values, counts = by_function[function]
        found.append(
            SessionMetric(
                metric_name=name,
                type=metric.type,
                labels=dict(label_set),
                last_time_us=last_times[place],
                value=float(values[place]),
                count=int(counts[place]),
                error=float(errors[place]) if function is P95 else 0.0,
            )
        )
    order = sorted(range(len(cells)), key=cells.__getitem__)
    return [found[place] for place in order]


def _cells_of(table: Any) -> list[tuple[str, LabelSet]]:
    return list(zip(texts(table, "metric"), label_sets_of(table), strict=True))


def label_sets_of(table: Any) -> list[LabelSet]:
    """Return the label set of each row, from its agent, environment and tags."""
    rows: Any = zip(
        texts(table, "agent"), texts(table, "environment"), texts(table, "tags"), strict=True
    )
    known: dict[Any, LabelSet] = {}
    found = []
    for agent, environment, tags in rows:
        key = (agent, environment, tuple(tags))
        label_set = known.get(key)
        if label_set is None:
            labels: list[tuple[str, str]] = [
                ("agent_id", agent),
                ("environment_id", environment),
                *key[2],
            ]
            label_set = known[key] = tuple(sorted(each for each in labels if each[1]))
        found.append(label_set)
    return found
