"""How far two executions may differ by chance alone: the tolerance of a gate without limits.

The same agent never does quite the same twice. What a metric may get worse before that is taken for
a change is the larger of

- MIN_CHANGE_PERCENT of the baseline, and
- STANDARD_ERRORS standard errors of the difference, estimated from the values of the calls. It gets
  smaller with the square root of the number of calls. With fewer than MIN_VALUES values on a side
  there is no estimate.

Three standard errors are exceeded by chance about once in 700 comparisons of one metric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vumeter_server.simulation.aggregation import (
    DOCUMENTED_PERCENTILES,
    MEANS,
    PERCENTILE_GROUP,
    PERCENTILE_SOURCE,
    percentile_name,
)

MIN_CHANGE_PERCENT: Final = 5.0
STANDARD_ERRORS: Final = 3
MIN_VALUES: Final = 5
MIN_FAILED_POINTS: Final = 5.0
MAX_FAILED_POINTS: Final = 50.0

_RESAMPLES = 200
_SOURCES = {f"{mean.group}.{mean.name}": mean.source for mean in MEANS}
_PERCENTILES = {
    f"{PERCENTILE_GROUP}.{percentile_name(each)}": each for each in DOCUMENTED_PERCENTILES
}

Values = NDArray[np.float64]


def source_of(metric: str) -> str:
    """Return the number of a call that a compared metric is computed from."""
    return PERCENTILE_SOURCE if metric in _PERCENTILES else _SOURCES[metric]


def tolerated_change(metric: str, mean: float, baseline: Values, candidate: Values) -> float:
    """Return how much worse a compared metric may get, in its unit, at least 0.

    `mean` is the metric's value in the baseline; `baseline` and `candidate` are float64[calls], the
    values of `source_of(metric)` that calls reported.
    """
    least = abs(mean) * MIN_CHANGE_PERCENT / 100
    if min(baseline.size, candidate.size) < MIN_VALUES:
        return least
    error = math.hypot(_standard_error(metric, baseline), _standard_error(metric, candidate))
    return max(least, STANDARD_ERRORS * error)


def tolerated_failures(failed: Sequence[int], calls: Sequence[int]) -> float:
    """Return by how many percentage points more calls may fail than in the baseline.

    `failed` and `calls` count those of the baseline and of the candidate; both have calls. The
    standard error is that of two shares with the same chance to fail.
    """
    share = sum(failed) / sum(calls)
    error = math.sqrt(max(0.0, share * (1 - share)) * sum(1 / each for each in calls))
    return min(max(MIN_FAILED_POINTS, 100 * STANDARD_ERRORS * error), MAX_FAILED_POINTS)


def _standard_error(metric: str, values: Values) -> float:
    percentile = _PERCENTILES.get(metric)
    if percentile is None:
        return float(values.std(ddof=1)) / math.sqrt(values.size)
    # There is no formula for a percentile of a few values: it is computed of samples of them. The
    # same calls give the same tolerance.
    random = np.random.default_rng(0)
    found = [
        np.percentile(random.choice(values, values.size), percentile) for _ in range(_RESAMPLES)
    ]
    return float(np.std(found))
