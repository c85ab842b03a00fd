"""Aggregates of cells: what a statement computes of the points of each, and what is made of it.

A distribution is a point whose `value` is its sum; see `custom_metrics.distributions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.exact_sums import ExactSums

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

COUNT: Final = "toInt64(sum(value_count))"
"""How many values the points of a cell are."""
_PLAIN: Final = "is_distribution = 0"
EXACT_SUMS: Final[Mapping[str, str]] = {
    "units": "toFloat64(sum(toInt128(trunc(value) AS u0)))",
    "first": "sum(toInt64(trunc((value - u0) * 1073741824 AS r1) AS u1))",
    "second": "sum(toInt64(trunc((r1 - u1) * 1073741824 AS r2) AS u2))",
    "third": "sum((r2 - u2) * 1073741824)",
}
"""The sums in the units of `exact_sums`; whole numbers are added up exactly in any order."""
_SCALE: Final = 2**30
# quantileExact takes the value of rank floor(level * n), from 0. What is taken off makes it that of
# ceil(level * n), from 1, for up to so many values and such percents.
_LITTLE: Final = 1e-12
_SIMPLE_DENOMINATOR: Final = 1_000


def sums_of(table: pa.Table, prefix: str = "") -> ExactSums:
    """Return the sums of the cells of an answer, which has EXACT_SUMS and `count`."""
    units = numbers(table, f"{prefix}units")
    first, second = (
        table.column(f"{prefix}{name}").to_numpy().astype(np.int64) for name in ("first", "second")
    )
    # What the smaller units have in whole larger ones goes to these, before they are rounded.
    carried = np.trunc(second / _SCALE).astype(np.int64)
    first, second = first + carried, second - carried * _SCALE
    carried = np.trunc(first / _SCALE).astype(np.int64)
    first = first - carried * _SCALE
    parts = [units + carried, first.astype(np.float64), second.astype(np.float64)]
    counts = table.column("count").to_numpy().astype(np.int64)
    return ExactSums(counts, [*parts, numbers(table, f"{prefix}third")])


def numbers(table: pa.Table, name: str) -> Floats:
    """Return a column of numbers, NaN for null."""
    found: Floats = table.column(name).to_numpy().astype(np.float64)
    return found


def texts(table: pa.Table, name: str) -> list[str]:
    """Return a column of texts."""
    found: list[str] = table.column(name).to_pylist()
    return found


def aggregates_of(functions: Mapping[int, Function]) -> dict[str, str]:
    """Return what a statement has to compute for some functions, by name of its column."""
    columns = {"count": COUNT, "distributions": "toInt64(sum(is_distribution))"}
    for index, function in functions.items():
        columns |= _columns(index, function)
    return columns


def _columns(index: int, function: Function) -> Mapping[str, str]:
    name = f"f{index}"
    of_statistic: Mapping[Statistic, Mapping[str, str]] = {
        Statistic.SUM: EXACT_SUMS,
        Statistic.MEAN: EXACT_SUMS,
        Statistic.LAST: {
            name: f"argMaxIf(value, (time_us, seq, number), {_PLAIN})",
            f"{name}_count": f"toInt64(countIf({_PLAIN}))",
        },
        Statistic.MIN: {name: f"min(if({_PLAIN}, value, minimum))"},
        Statistic.MAX: {name: f"max(if({_PLAIN}, value, maximum))"},
        Statistic.SESSIONS: {name: "toInt64(uniqExactIf(session, session != ''))"},
        Statistic.PERCENTILE: {name: _percentile(function.percent)},
        Statistic.COUNT: {},
    }
    return of_statistic[function.statistic]


def _percentile(percent: int | Fraction) -> str:
    """Return the aggregate of the value of rank ceil(percent / 100 * n), from 1."""
    share = Fraction(percent) / 100
    if share.denominator <= _SIMPLE_DENOMINATOR:
        return f"quantileExact({float(share) - _LITTLE!r})(value)"
    rank = (
        f"toInt64(intDiv(toInt256(count()) * toInt256('{share.numerator}')"
        f" + toInt256('{share.denominator - 1}'), toInt256('{share.denominator}')))"
    )
    return f"arrayElement(arraySort(groupArray(value)), {rank})"


def values_of(table: pa.Table, index: int, function: Function) -> tuple[Floats, Integers]:
    """Return a function of each row's cell, and of how many values; NaN and 0 of none.

    Percentiles are those of the values; of distributions see `distributed`.
    """
    name = f"f{index}"
    counts: Any = table.column("count").to_numpy().astype(np.int64)
    match function.statistic:
        case Statistic.SUM:
            return sums_of(table).totals(), counts
        case Statistic.MEAN:
            return sums_of(table).totals() / counts, counts
        case Statistic.LAST:
            of_plain: Any = table.column(f"{name}_count").to_numpy().astype(np.int64)
            return np.where(of_plain > 0, numbers(table, name), np.nan), of_plain
        case Statistic.SESSIONS:
            sessions: Any = table.column(name).to_numpy().astype(np.int64)
            return sessions.astype(np.float64), sessions
        case Statistic.COUNT:
            return counts.astype(np.float64), counts
    return numbers(table, name), counts
