"""What the calls of an execution add up to, aggregated by ClickHouse, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from vumeter_server.simulation.aggregation import (
    PERCENTILE_SOURCE,
    CallTotals,
    ExecutionMetrics,
    percentiles_of,
)
from vumeter_server.simulation.decimals import MICRO, to_micros
from vumeter_server.simulation.model import CALL_STATUSES, NUMBER_NAMES, ExecutionReport

# Below this a double times a million is closer than a quarter to the whole number that it stands
# for; larger ones, which hardly any call has, are added up here one by one.
_SCALES_EXACTLY: Final = 2.0**50 / MICRO

AGGREGATES: Final = ", ".join(
    [
        *(
            f"countIf(status = '{status}') AS status_{place}"
            for place, status in enumerate(CALL_STATUSES)
        ),
        *(
            f"count({name}) AS samples_{place},"
            f" sumIf(toInt128(round({name} * {MICRO})), {name} < {_SCALES_EXACTLY!r})"
            f" AS micros_{place},"
            f" groupArrayIf(assumeNotNull({name}), {name} >= {_SCALES_EXACTLY!r}) AS large_{place}"
            for place, name in enumerate(NUMBER_NAMES)
        ),
        f"groupArrayIf(assumeNotNull({PERCENTILE_SOURCE}), {PERCENTILE_SOURCE} IS NOT NULL)"
        " AS latencies",
    ]
)
"""The columns that `metrics_of_row` reads, of rows of calls."""


def metrics_of_row(
    report: ExecutionReport, row: Mapping[str, Any], percentiles: Sequence[float]
) -> ExecutionMetrics:
    """Return an execution with what its calls add up to."""
    places = range(len(NUMBER_NAMES))
    totals = CallTotals(
        calls=[row[f"status_{place}"] for place in range(len(CALL_STATUSES))],
        samples=[row[f"samples_{place}"] for place in places],
        micros=[
            int.from_bytes(row[f"micros_{place}"] or b"", "little", signed=True)
            + sum(map(to_micros, row[f"large_{place}"]))
            for place in places
        ],
    )
    latencies = np.array(row["latencies"], np.float64)
    return ExecutionMetrics(
        report=report, totals=totals, percentiles=percentiles_of(latencies, percentiles)
    )


def without_calls(report: ExecutionReport) -> ExecutionMetrics:
    """Return an execution that has no calls."""
    return ExecutionMetrics(report=report, totals=CallTotals(), percentiles=())
