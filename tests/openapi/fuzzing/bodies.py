"""Bodies that keep the rules across their fields, made of bodies that keep those of each field."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

from tests.openapi.fuzzing.dates import instant

# It has at most 11,000 buckets of 5 minutes, the shortest that are asked for.
LONGEST_RANGE = timedelta(days=35)
LEAST_PERCENTILE = 0.001
MOST_TAGS = 32
MOST_LABELS = 5
MOST_NAMES = 100
MOST_OBJECT_BYTES = 16 * 1024
MOST_LEVELS = 8
MOST_INTEGER = 2**63 - 1
FEW_GROUPS = 2
FREE_FORM = (("latency", "customer_latency_metrics"), ("cost", "customer_cost_breakdown"))

EXPLICIT = {"count": 5, "sum": 3275, "bounds": [500, 1000], "bucketCounts": [0, 5, 0]}
EXPONENTIAL = {
    "count": 5,
    "sum": 3600,
    "min": 580,
    "max": 815,
    "scale": 3,
    "zeroCount": 0,
    "positive": {"offset": 73, "bucketCounts": [2, 0, 0, 0, 3]},
}


def ordered(first: str, second: str) -> tuple[str, str]:
    """Return a range whose end is not before its start, and not very far from it."""
    start, end = sorted((instant(first), instant(second)))
    end = min(end, start + LONGEST_RANGE)
    return start.astimezone(UTC).isoformat(), end.astimezone(UTC).isoformat()


def with_whole_numbers(value: Any) -> Any:
    """Return JSON whose whole numbers have no decimal point."""
    if isinstance(value, dict):
        return {name: with_whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(each) for each in value]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= MOST_INTEGER
    return int(value) if is_whole else value


def repair_points(body: dict[str, Any]) -> None:
    """A metric has one type; a distribution agrees with its buckets."""
    for point in body["points"]:
        if "distribution" in point:
            point["type"] = "histogram"
            is_exponential = "scale" in point["distribution"]
            point["distribution"] = dict(EXPONENTIAL if is_exponential else EXPLICIT)
        kind = point.get("type", "counter")
        point["name"] = f"{kind}_{point['name']}"[:200]
        if kind == "counter" and "value" in point:
            point["value"] = abs(point["value"])
        if "tags" in point:
            point["tags"] = dict(list(point["tags"].items())[:MOST_TAGS])


def repair_query(body: dict[str, Any]) -> None:
    """Columns have names of their own, formulas and the order use them; the answer is not large."""
    body["startDate"], body["endDate"] = ordered(body["startDate"], body["endDate"])
    for number, metric in enumerate(body["metrics"]):
        metric["as"] = f"m{number}"
        if "percentile" in metric:
            metric["percentile"] = max(metric["percentile"], LEAST_PERCENTILE)
    for number, formula in enumerate(body.get("formulas", [])):
        formula["as"] = f"f{number}"
        formula["expression"] = f"-m0 * 2 / (m0 + {number})"
    body["groupBy"] = body.get("groupBy", [])[:MOST_LABELS]
    if body.get("orderBy"):
        body["orderBy"] = "-m0" if body["orderBy"].startswith("-") else "m0"
    if body.get("fill"):
        body["step"] = "month"
        body["limit"] = min(body.get("limit", FEW_GROUPS), FEW_GROUPS)


def repair_deletion(body: dict[str, Any]) -> None:
    """The end of a range is not before its start; there are not too many names."""
    if "startDate" in body and "endDate" in body:
        body["startDate"], body["endDate"] = ordered(body["startDate"], body["endDate"])
    if "metricNames" in body:
        body["metricNames"] = body["metricNames"][:MOST_NAMES]


def repair_calls(body: dict[str, Any]) -> None:
    """Free-form objects are small."""
    for call in body["calls"]:
        for group, name in FREE_FORM:
            if call.get(group) and call[group].get(name) and not _is_small(call[group][name]):
                call[group][name] = {"stt": 1}


def repair_export(value: Any) -> None:
    """Numbers as text are numbers, and arrays and lists are what they say."""
    if isinstance(value, list):
        for each in value:
            repair_export(each)
    elif isinstance(value, dict):
        for name in ("asInt", "intValue"):
            if name in value:
                value[name] = str(MOST_INTEGER)
        for name in ("asDouble", "doubleValue"):
            if isinstance(value.get(name), str):
                value[name] = "NaN"
        for name in ("arrayValue", "kvlistValue", "bytesValue"):
            value.pop(name, None)
        for each in value.values():
            repair_export(each)


def _is_small(given: Any) -> bool:
    return _fits(given, MOST_LEVELS) and len(json.dumps(given)) <= MOST_OBJECT_BYTES


def _fits(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_fits(each, levels - 1) for each in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_fits(each, levels - 1) for each in value)
    return not isinstance(value, int) or abs(value) <= MOST_INTEGER
