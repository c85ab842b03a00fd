"""Queries of metrics for hypothesis to choose from, in the scenes of `strategies`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st
from tests.custom_metrics.strategies import (
    AGENTS,
    METRICS,
    SESSIONS,
    TAGS,
    ZONES,
    Scene,
    bounds,
)

LABELS: Final = {**TAGS, "agent_id": AGENTS, "session_id": SESSIONS, "unknown": ("x",)}
EXPRESSIONS: Final = ("", ".*", "[a-d]+", "branch-1.?|web", ".*é|ｦ|😀?", "session_.*", "(?i)ABC")
FUNCTIONS: Final = ("sum", "count", "mean", "min", "max", "last", "percentile", "sessions")
FORMULAS: Final = (
    "{a} / {b}",
    "-{a} * 1.5e1 + {b}",
    "({a} - {b}) / ({a} + {b})",
    "{a} - {a}",
    "100 * {b} / {a} - -2",
    "1 / ({a} - {a})",
    "7",
)


@st.composite
def label_filters(draw: st.DrawFn, labels: Sequence[str] = tuple(LABELS)) -> dict[str, Any]:
    """Choose one filter."""
    label = draw(st.sampled_from(labels))
    values = st.sampled_from((*LABELS[label], "", "nobody"))
    op = draw(st.sampled_from(("=", "!=", "in", "not in", "=~", "!~")))
    if op in ("in", "not in"):
        return {"label": label, "op": op, "values": draw(st.lists(values, min_size=1, max_size=3))}
    if op in ("=~", "!~"):
        return {"label": label, "op": op, "value": draw(st.sampled_from(EXPRESSIONS))}
    return {"label": label, "op": op, "value": draw(values)}


@st.composite
def columns(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Choose one function of one metric."""
    metric = draw(st.sampled_from((*METRICS, "unknown_metric")))
    functions = (*FUNCTIONS, "rate") if METRICS.get(metric) in (None, "counter") else FUNCTIONS
    column: dict[str, Any] = {"as": name, "metric": metric}
    column["function"] = draw(st.sampled_from(functions))
    if column["function"] == "percentile":
        column["percentile"] = draw(st.sampled_from((0.1, 50, 66.7, 95, 99.9, 100)))
    if draw(st.integers(0, 2)) == 0:
        column["filters"] = draw(st.lists(label_filters(), max_size=2))
    return column


@st.composite
def metric_queries(draw: st.DrawFn, scene: Scene) -> dict[str, Any]:
    """Choose the body of a query."""
    zone = draw(st.sampled_from((*ZONES, "Europe/Berlin")))
    start, end = draw(bounds(scene, zone))
    names = ["first", "second", "_3"][: draw(st.integers(1, 3))]
    body: dict[str, Any] = {"startDate": start, "endDate": end, "timezone": zone}
    body["metrics"] = [draw(columns(name)) for name in names]
    formulas = draw(st.lists(st.sampled_from(FORMULAS), max_size=2))
    operands = st.sampled_from(names)
    body["formulas"] = [
        {"as": f"f{number}", "expression": each.format(a=draw(operands), b=draw(operands))}
        for number, each in enumerate(formulas)
    ]
    every = [*names, *(each["as"] for each in body["formulas"])]
    step = draw(
        st.sampled_from((None, "", "6h", "7h30m", "1d", "day", "day", "week", "month", "quarter"))
    )
    chosen = {
        "step": step,
        "filters": draw(st.none() | st.lists(label_filters(), max_size=2)),
        "groupBy": draw(
            st.none() | st.lists(st.sampled_from(tuple(LABELS)), min_size=1, max_size=2)
        ),
        "orderBy": draw(st.none() | st.sampled_from([*every, *(f"-{each}" for each in every)])),
        "limit": draw(st.none() | st.integers(1, 3)),
        "other": draw(st.none() | st.booleans()),
        "fill": draw(st.sampled_from((None, "", "null", "zero"))),
        "compareTo": draw(st.sampled_from((None, "", "previous", "previous", "1d", "2d", "1w"))),
    }
    return {**body, **{key: value for key, value in chosen.items() if value is not None}}


@st.composite
def rollup_queries(draw: st.DrawFn, scene: Scene) -> dict[str, Any]:
    """Choose a query of which rollups may answer much: whole days, few labels, no sessions."""
    body = draw(metric_queries(scene))
    start = scene.start - timedelta(days=draw(st.integers(0, 16)))
    end = scene.end + timedelta(days=draw(st.integers(0, 16)))
    if draw(st.integers(0, 2)) == 0:
        start += timedelta(minutes=draw(st.integers(0, 2_000)))
        end -= timedelta(seconds=draw(st.integers(0, 100_000)))
    body["startDate"] = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    body["endDate"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    if draw(st.booleans()):
        body["timezone"] = "UTC"
    if body.get("step") in ("7h30m", "6h"):
        body["step"] = draw(st.sampled_from(("8d", "36h", "year")))
    labels: list[str] = draw(
        st.lists(st.sampled_from((*TAGS, "agent_id", "unknown")), max_size=2, unique=True)
    )
    body.pop("groupBy", None)
    is_grouped = draw(st.booleans())
    if labels and is_grouped:
        body["groupBy"] = labels[: draw(st.integers(1, 2))]
    for has_filters in (body, *body["metrics"]):
        filters = has_filters.pop("filters", [])
        if labels:
            has_filters["filters"] = [each for each in filters if each["label"] in labels] or draw(
                st.lists(label_filters(labels), max_size=1)
            )
    for column in body["metrics"]:
        if draw(st.integers(0, 4)):
            column["function"] = draw(st.sampled_from(("sum", "count", "mean", "min", "max")))
            column.pop("percentile", None)
    return body
