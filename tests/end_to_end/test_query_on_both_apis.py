"""Whatever is asked of metrics, QueryMetrics answers what `POST /v1/custom-metrics/query` does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custom_metrics.oracle_ranges import read_range, read_step
from tests.custom_metrics.query_strategies import metric_queries
from tests.custom_metrics.strategies import SCENES, many_points
from tests.effort import tries
from tests.end_to_end.callers import Caller
from tests.end_to_end.conftest import new_name, with_key

PATH = "/v1/custom-metrics/query"
RPC = "vumeter.custom_metrics.v1.CustomMetricsService/QueryMetrics"
OPERATORS = {
    "=": "EQUAL",
    "!=": "NOT_EQUAL",
    "in": "IN",
    "not in": "NOT_IN",
    "=~": "MATCHES",
    "!~": "NOT_MATCHES",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# REST prints 12 digits.
NEARLY = 1e-11

Body = Mapping[str, Any]


@pytest.fixture(scope="module")
def owner(anybody: Caller) -> Caller:
    """The owner of an organization with points of every scene, distributions among them."""
    caller = with_key(anybody, new_name())
    for scene in SCENES:
        caller.record(many_points(scene, 60, 1))
        caller.record(
            [
                {
                    **{"name": "e2e_latency_ms", "type": "histogram", "agentId": "agent_xyz"},
                    "timestamp": (scene.start + timedelta(hours=hours)).isoformat(),
                    "distribution": {
                        **{"count": 3, "sum": 900 + hours, "min": 100, "max": 700 + hours},
                        **{"bounds": [250, 500], "bucketCounts": [2, 0, 1]},
                    },
                }
                for hours in (3, 30, 50)
            ]
        )
    return caller


@given(st.data())
@settings(
    max_examples=tries(40, 1_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_both_apis_answer_the_same(owner: Caller, data: st.DataObject) -> None:
    body = data.draw(metric_queries(data.draw(st.sampled_from(SCENES))))
    documented, answer = owner.post(PATH, body), owner.rpc(RPC, typed(body))
    assert documented.status == 200, documented.body
    assert answer.code == 0, answer.body
    rows = [
        {**row, "start": instant(row["start"]), "end": instant(row["end"])}
        for row in documented.body["data"]["rows"]
    ]
    assert int(answer.body.get("groups", 0)) == documented.body["data"]["groups"]
    found = [as_documented(row, body) for row in answer.body.get("rows", [])]
    assert [without_numbers(row) for row in found] == [without_numbers(row) for row in rows]
    for row, expected in zip(found, rows, strict=True):
        for part in ("values", "previous", "errors"):
            for name, value in row.get(part, {}).items():
                assert is_printed_as(value, expected[part][name]), (part, name)


def is_printed_as(value: float | None, printed: float | None) -> bool:
    if value is None or printed is None:
        return value is printed
    return math.isclose(value, printed, rel_tol=NEARLY)


def without_numbers(row: Body) -> dict[str, Any]:
    """Return what has to be equal in full."""
    numbers = ("values", "previous", "errors")
    names = {part: sorted(row[part]) for part in numbers if part in row}
    return {key: value for key, value in row.items() if key not in numbers} | {"names": names}


def as_documented(row: Body, body: Body) -> dict[str, Any]:
    """Return a row of the typed answer as REST has it."""
    columns = [each["as"] for each in body["metrics"]]
    every = [*columns, *(each["as"] for each in body["formulas"])]
    labels = list(dict.fromkeys(body.get("groupBy") or ()))
    found = {
        "start": instant(row["start_time"]),
        "end": instant(row["end_time"]),
        "labels": dict.fromkeys(labels) if row.get("is_other") else row.get("labels", {}),
        "values": {name: row.get("values", {}).get(name) for name in every},
        "counts": {name: int(row["counts"][name]) for name in columns},
    }
    if body.get("compareTo"):
        found["previous"] = {name: row.get("previous", {}).get(name) for name in every}
    if row.get("max_error"):
        found["errors"] = row["max_error"]
    return found


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def typed(body: Body) -> dict[str, Any]:
    """Return the typed request of a body."""
    start_us, end_us = read_range(body)
    request: dict[str, Any] = {
        "start_time": timestamp(start_us),
        "end_time": timestamp(end_us),
        "time_zone": body["timezone"],
        "metrics": [
            {
                **{key: each[key] for key in ("as", "metric", "percentile") if key in each},
                "function": f"QUERY_FUNCTION_{each['function'].upper()}",
                "filters": filters(each.get("filters") or ()),
            }
            for each in body["metrics"]
        ],
        "formulas": body["formulas"],
        "filters": filters(body.get("filters") or ()),
        "group_by": body.get("groupBy") or [],
        "order_by": body.get("orderBy") or "",
        "other": body.get("other") or False,
        "fill": f"QUERY_FILL_{(body.get('fill') or 'unspecified').upper()}",
    }
    if body.get("limit"):
        request["limit"] = body["limit"]
    step = body.get("step")
    if step in ("day", "week", "month", "quarter", "year"):
        request["calendar_unit"] = f"CALENDAR_UNIT_{step.upper()}"
    elif step:
        request["duration"] = f"{read_step(step) / 1_000_000:f}s"
    if compared := body.get("compareTo"):
        weeks = 7 if compared.endswith("w") else 1
        days = 0 if compared == "previous" else int(compared[:-1]) * weeks
        request["compare_to"] = {"days_earlier": days}
    return request


def filters(chosen: Sequence[Body]) -> list[dict[str, Any]]:
    return [
        {
            "label": each["label"],
            "operator": f"LABEL_OPERATOR_{OPERATORS[each['op']]}",
            "values": each["values"] if "values" in each else [each["value"]],
        }
        for each in chosen
    ]


def timestamp(instant_us: int) -> str:
    return (EPOCH + timedelta(microseconds=instant_us)).isoformat()
