"""What the engines that speak SQL have in common: rows, and answers made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.answers import MAX_TAG_VALUES, Answer
from bench.asks import Ask, Kind
from bench.dataset import DAY_US, METRICS, Type
from bench.functions import answer_of_rows as answer_of_function_rows

TYPE_OF = {metric.name: metric.type for metric in METRICS}
TYPE_NAMES = {each: each.name.lower() for each in Type}

SessionPoint = tuple[int, str, float, str, str, dict[str, str]]
"""Time, metric, value, agent, environment, tags."""


def reduce_session(points: Sequence[SessionPoint]) -> Answer:
    """Aggregate a session's points, which are in the order of time, by metric and labels."""
    entries: dict[tuple[Any, ...], list[tuple[int, float]]] = {}
    for time_us, name, value, agent_id, environment_id, tags in points:
        labels = {"agent_id": agent_id, "environment_id": environment_id, **tags}
        key = (name, tuple(sorted(labels.items())))
        entries.setdefault(key, []).append((time_us, value))
    return {
        key: (entry[-1][0], _value(TYPE_OF[key[0]], [value for _, value in entry]))
        for key, entry in entries.items()
    }


def _value(metric_type: Type, values: list[float]) -> float:
    if metric_type is Type.COUNTER:
        return sum(values)
    if metric_type is Type.GAUGE:
        return values[-1]
    return sorted(values)[-(-95 * len(values) // 100) - 1]


def answer_of_rows(ask: Ask, rows: Sequence[Any]) -> Answer:
    """Return rows as an answer.

    Rows are (name), (group values..., name, sum), (day, name, sum), (bucket, value), (key, value);
    a session is reduced already.
    """
    match ask.kind:
        case Kind.PERCENTILES | Kind.FUNCTIONS | Kind.CONVERSION | Kind.SESSIONS:
            return answer_of_function_rows(rows)
        case Kind.SESSION:
            return rows
        case Kind.NAMES:
            return sorted(name for (name,) in rows)
        case Kind.TAGS:
            tags: dict[str, list[str]] = {}
            for key, value in rows:
                tags.setdefault(key, []).append(value)
            return {key: sorted(tags[key])[:MAX_TAG_VALUES] for key in sorted(tags)}
        case Kind.TIMESERIES:
            return {ask.start_us + int(bucket) * ask.step_us: value for bucket, value in rows}
        case Kind.DAILY:
            return {(_date(int(day)), name): value for day, name, value in rows if value}
        case Kind.AGGREGATE:
            return {tuple(text or "" for text in row[:-1]): row[-1] for row in rows if row[-1]}


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_US // 1_000_000, UTC).date().isoformat()
