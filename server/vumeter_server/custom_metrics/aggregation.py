"""What queries mean: which function a metric's type asks for, and what each function computes.

Everything here is pure, and every store answers by it. The table says what a query computes of the
points of a metric:

| type      | aggregate, daily | timeseries, per bucket | session |
| --------- | ---------------- | ---------------------- | ------- |
| counter   | sum              | sum                    | sum     |
| gauge     | sum              | mean                   | last    |
| histogram | sum              | p95                    | p95     |

- sum: the sum of the values as a double; see `exact_sums` for how near to the exact sum. It depends
  neither on the order of the points nor on how a store keeps them.
- mean: that sum, as a double, divided by the count.
- last: the value with the greatest timestamp; of equal timestamps the one recorded last.
- percentile: nearest rank, so always one of the values themselves. The percentile of n values is
  the one of rank ceil(percent / 100 * n), counted from 1 in ascending order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.errors import InvalidArgument

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_CELLS: Final = 100_000
"""An answer holds at most so many cells (rows x metrics)."""
MAX_TAG_VALUES: Final = 1_000
"""An answer lists at most so many values per tag key."""


class Statistic(Enum):
    """What a function computes, and so what a store has to keep to answer it."""

    SUM = auto()
    """Needs the sum."""
    MEAN = auto()
    """Needs the sum and the count."""
    LAST = auto()
    """Needs the newest point."""
    PERCENTILE = auto()
    """Needs every value."""
    COUNT = auto()
    """Needs the count."""
    MIN = auto()
    """Needs the smallest value."""
    MAX = auto()
    """Needs the greatest value."""
    SESSIONS = auto()
    """Needs the distinct sessions; points without a session count for none."""


# What each metric of a session is compared with. Python 3.11 takes 0.3 µs to find a member of an
# Enum in its class.
_COUNTER: Final = MetricType.COUNTER
_GAUGE: Final = MetricType.GAUGE
_SUM: Final = Statistic.SUM
_LAST: Final = Statistic.LAST
_PERCENTILE: Final = Statistic.PERCENTILE
_INT64_END: Final = 2**63


@dataclass(frozen=True, slots=True)
class Function:
    """A function of some points; `percent`, exact, is that of a percentile, else 0."""

    statistic: Statistic
    percent: int | Fraction = 0

    @property
    def is_of_sums(self) -> bool:
        """Whether sums and counts are enough to compute it."""
        return self.statistic in (Statistic.SUM, Statistic.MEAN)


SUM: Final = Function(Statistic.SUM)
MEAN: Final = Function(Statistic.MEAN)
LAST: Final = Function(Statistic.LAST)
P95: Final = Function(Statistic.PERCENTILE, 95)


@dataclass(frozen=True, kw_only=True, slots=True)
class Functions:
    """Which function a query asks for, by the type of the metric."""

    counter: Function
    gauge: Function
    histogram: Function

    def of(self, metric_type: MetricType) -> Function:
        """Return the function that metrics of a type are asked for."""
        if metric_type is _COUNTER:
            return self.counter
        return self.gauge if metric_type is _GAUGE else self.histogram


OF_BUCKETS: Final = Functions(counter=SUM, gauge=MEAN, histogram=P95)
"""What timeseries computes of a bucket's points."""
OF_SESSIONS: Final = Functions(counter=SUM, gauge=LAST, histogram=P95)
"""What a session's metric is computed by."""


def compute(function: Function, values: Sequence[float]) -> float:
    """Return a function of values, at least one, in order of time, then of recording."""
    statistic = function.statistic
    if statistic is _SUM:
        return math.fsum(values)
    if statistic is _LAST:
        return values[-1]
    if statistic is _PERCENTILE:
        return sorted(values)[rank_of(len(values), function.percent) - 1]
    if statistic is Statistic.COUNT:
        return len(values)
    if statistic in (Statistic.MIN, Statistic.MAX):
        return min(values) if statistic is Statistic.MIN else max(values)
    return math.fsum(values) / len(values)


def compute_of_sums(function: Function, sums: Floats, counts: Integers) -> Floats:
    """Return a function that `is_of_sums`, element by element; no count is 0."""
    return sums / counts if function.statistic is Statistic.MEAN else sums


def rank_of(count: int, percent: int | Fraction) -> int:
    """Return the rank, from 1, of a percentile among `count` values."""
    return -(-count * percent.numerator // (100 * percent.denominator))


def ranks_of(counts: Integers, percent: int | Fraction) -> Integers:
    """Return `rank_of` of each count."""
    numerator, denominator = percent.numerator, 100 * percent.denominator
    if int(counts.max(initial=0)) * numerator < _INT64_END and denominator < _INT64_END:
        ranks: Integers = -(-counts * numerator // denominator)
        return ranks
    return np.array([rank_of(count, percent) for count in counts.tolist()], np.int64)


def nearest_rank(values: npt.NDArray[np.generic], percent: int | Fraction) -> float:
    """Return a percentile of values, at least one, in any order."""
    position = rank_of(len(values), percent) - 1
    # Finding one rank takes time in proportion to the values, sorting more.
    found = values.copy()
    found.partition(position)
    return float(found[position])


def order_of_rows(
    totals: Sequence[float], periods: Sequence[int], groups: Sequence[tuple[str, ...]]
) -> list[int]:
    """Return the order in which rows are answered, as indexes of rows.

    By period, then the largest total (of all metrics asked for) first, then by label values, which
    compare by code point.
    """
    return sorted(range(len(groups)), key=lambda row: (periods[row], -totals[row], groups[row]))


def check_cells(rows: int, metrics: int, most: int = MAX_CELLS) -> None:
    """Raise InvalidArgument if an answer of `rows` rows would have more than 100,000 cells."""
    if rows * metrics > most:
        raise InvalidArgument("Narrow the range or the grouping")
