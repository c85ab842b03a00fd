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

_STATUSES: Final = ", ".join(f"'{status}'" for status in CALL_STATUSES)
_LATENCY: Final = f"numbers[{NUMBER_NAMES.index(PERCENTILE_SOURCE) + 1}]"
AGGREGATES: Final = ", ".join(
    (
        f"sumForEach(arrayMap(each -> status = each, [{_STATUSES}])) AS calls",
        "sumForEach(arrayMap(number -> isNotNull(number), numbers)) AS samples",
        f"sumForEach(arrayMap(number -> if(number < {_SCALES_EXACTLY!r},"
        f" toInt128(round(assumeNotNull(number) * {MICRO})), toInt128(0)), numbers)) AS micros",
        f"groupArrayIf(numbers, arrayExists(number -> number >= {_SCALES_EXACTLY!r}, numbers))"
        " AS large",
        f"groupArrayIf(assumeNotNull({_LATENCY}), isNotNull({_LATENCY})) AS latencies",
    )
)
"""The columns that `metrics_of_row` reads, of rows of calls."""


def metrics_of_row(
    report: ExecutionReport, row: Mapping[str, Any], percentiles: Sequence[float]
) -> ExecutionMetrics:
    """Return an execution with what its calls add up to."""
    micros = [int.from_bytes(each, "little", signed=True) for each in row["micros"]]
    for numbers in row["large"]:
        for place, number in enumerate(numbers):
            if number is not None and number >= _SCALES_EXACTLY:
                micros[place] += to_micros(number)
    totals = CallTotals(calls=list(row["calls"]), samples=list(row["samples"]), micros=micros)
    latencies = np.array(row["latencies"], np.float64)
    return ExecutionMetrics(
        report=report, totals=totals, percentiles=percentiles_of(latencies, percentiles)
    )


def without_calls(report: ExecutionReport) -> ExecutionMetrics:
    """Return an execution that has no calls."""
    return ExecutionMetrics(report=report, totals=CallTotals(), percentiles=())
