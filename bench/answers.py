"""Answers in one form, whoever gave them, and how two of them are compared.

Zero sums are left out: engines differ in whether they name them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from bench.asks import Ask, Kind
from bench.dataset import HISTOGRAMS

Answer = Any
"""By kind:

- names: sorted list of names
- aggregate: (group values, metric) -> sum
- daily: (date, metric) -> sum
- timeseries: start of the bucket in microseconds -> value
- tags: key -> sorted list of values
- session: (metric, labels) -> (time of the last point, value)
- those of Q10 to Q13: (bucket, group) -> values
"""

SUM_TOLERANCE = 1e-9
P95_TOLERANCE = 0.005
MAX_TAG_VALUES = 1_000


class WrongAnswer(Exception):
    """An engine's answer is not the oracle's."""


def check(ask: Ask, answer: Answer, right: Answer, engine: str) -> None:
    """Raise WrongAnswer if `answer` is not the right one."""
    problem = _difference(ask, answer, right)
    if problem:
        raise WrongAnswer(f"{engine} answers {ask} wrongly: {problem}")


def _difference(ask: Ask, answer: Answer, right: Answer) -> str:
    if ask.kind in (Kind.NAMES, Kind.TAGS):
        return "" if answer == right else f"{str(answer)[:200]} is not {str(right)[:200]}"
    if answer.keys() != right.keys():
        more, less = (
            sorted(some - others, key=str)
            for some, others in (
                (answer.keys(), right.keys()),
                (right.keys(), answer.keys()),
            )
        )
        return f"{len(more)} keys too many {more[:2]}, {len(less)} missing {less[:2]}"
    for key, value in right.items():
        if not _is_close(ask, key, answer[key], value):
            return f"{key}: {answer[key]} is not {value}"
    return ""


def _is_close(ask: Ask, key: Any, value: Any, right: Any) -> bool:
    if ask.kind is Kind.SESSION:
        tolerance = P95_TOLERANCE if key[0] in HISTOGRAMS else SUM_TOLERANCE
        return bool(value[0] == right[0]) and math.isclose(value[1], right[1], rel_tol=tolerance)
    if ask.kind in (Kind.PERCENTILES, Kind.FUNCTIONS, Kind.CONVERSION, Kind.SESSIONS):
        return len(value) == len(right) and all(
            math.isclose(each, other, rel_tol=SUM_TOLERANCE)
            for each, other in zip(value, right, strict=True)
        )
    tolerance = P95_TOLERANCE if ask.metric_name in HISTOGRAMS else SUM_TOLERANCE
    return math.isclose(value, right, rel_tol=tolerance)


def sums(rows: Iterable[tuple[tuple[str, ...], Mapping[str, float]]]) -> Answer:
    """Return rows of (group values or date, metric -> sum) as an answer."""
    return {
        (*group, metric): value
        for group, metrics in rows
        for metric, value in metrics.items()
        if value
    }


def from_json(ask: Ask, body: bytes) -> Answer:
    """Read the documented JSON."""
    data = orjson.loads(body)["data"]
    match ask.kind:
        case Kind.NAMES:
            return data
        case Kind.TAGS:
            return {key: list(values) for key, values in data.items()}
        case Kind.AGGREGATE if not ask.group_by:
            return sums([((), data)])
        case Kind.AGGREGATE:
            return sums((tuple(row[key] for key in ask.group_by), row["metrics"]) for row in data)
        case Kind.DAILY:
            return sums(((row["date"],), row["metrics"]) for row in data)
        case Kind.TIMESERIES:
            pairs = data["result"][0]["values"] if data["result"] else []
            return {round(seconds * 1_000_000): float(text) for seconds, text in pairs}
        case Kind.SESSION:
            return {
                _session_key(dict(entry["metric"])): (
                    round(entry["value"][0] * 1_000_000),
                    float(entry["value"][1]),
                )
                for entry in data["result"]
            }


def _session_key(metric: dict[str, str]) -> tuple[Any, ...]:
    name = metric.pop("metric_name")
    return (name, tuple(sorted(metric.items())))
