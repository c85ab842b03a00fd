"""One core: what the typed methods answer is what the documented paths answer, case by case."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from tests.custom_metrics.cases import Ask, Case, canonical, load_cases
from tests.end_to_end.callers import Answer, Caller

from vumeter_server.custom_metrics.labels import parse_group_by, parse_metric_names, parse_tags
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.ranges import parse_range
from vumeter_server.times.steps import parse_step

SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
PREFIX = "/v1/custom-metrics/"
METHODS = {
    "names": "ListMetricNames",
    "aggregate": "AggregateMetrics",
    "daily": "ListDailyMetrics",
    "timeseries": "QueryTimeseries",
    "tags": "ListTags",
    "sessions": "GetSessionMetrics",
}
# Where a field is called otherwise on the typed API.
FIELDS = {
    "startDate": "selection.start_time",
    "endDate": "selection.end_time",
    "timezone": "time_zone",
    "agentId": "agent_id",
    "metricName": "metric_name",
    "metricNames": "metric_names",
    "groupBy": "group_by",
    "sessionId": "session_id",
    "tags": "selection.tags",
}


def typed(ask: Ask) -> tuple[str, dict[str, Any]]:
    """Return the typed request of a documented one.

    Raises InvalidArgument for text that has no typed form at all.
    """
    endpoint, _, rest = ask.path.removeprefix(PREFIX).partition("/")
    query = ask.query
    requests: dict[str, Callable[[], dict[str, Any]]] = {
        "names": lambda: {"agent_id": query.get("agentId", "")},
        "tags": lambda: {
            "agent_id": query.get("agentId", ""),
            "metric_name": query.get("metricName", ""),
        },
        "sessions": lambda: {"session_id": unquote(rest)},
        "aggregate": lambda: sums(query),
        "daily": lambda: {
            **sums(query),
            "time_zone": query.get("timezone", ""),
            "fill": fill(query),
        },
        "timeseries": lambda: {
            "selection": selection(query),
            "metric_name": query.get("metricName", ""),
            "step": seconds(parse_step(query.get("step"), default="1h")),
            "fill": fill(query),
        },
    }
    return f"{SERVICE}/{METHODS[endpoint]}", requests[endpoint]()


def selection(query: Mapping[str, str]) -> dict[str, Any]:
    chosen = parse_range(query.get("startDate"), query.get("endDate"), query.get("timezone"))
    return {
        "start_time": instant(chosen.start_us),
        "end_time": instant(chosen.end_us),
        "agent_id": query.get("agentId", ""),
        "environment_id": query.get("environmentId", ""),
        "tags": parse_tags(query.get("tags")),
    }


def sums(query: Mapping[str, str]) -> dict[str, Any]:
    return {
        "selection": selection(query),
        "metric_names": parse_metric_names(query.get("metricNames")),
        "group_by": parse_group_by(query.get("groupBy")),
    }


def fill(query: Mapping[str, str]) -> int:
    return {"": 0, "zero": 1}.get(query.get("fill", ""), 7)


def seconds(us: int) -> str:
    return f"{us // 1_000_000}.{us % 1_000_000:06}s"


def instant(us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return moment.isoformat().replace("+00:00", "Z")


def number(value: float) -> float:
    """Return a number as the documented paths print it."""
    return int(value) if value.is_integer() else float(f"{value:.12g}")


def numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: number(value) for name, value in metrics.items()}


def epoch(time: str) -> float:
    return number(datetime.fromisoformat(time).timestamp())


def as_documented(ask: Ask, request: Mapping[str, Any], body: Any) -> Any:
    """Write a typed answer as the documented one; its texts of numbers are numbers here."""
    endpoint = ask.path.removeprefix(PREFIX).partition("/")[0]
    return {"data": WRITERS[endpoint](request, body)}


def aggregate(request: Mapping[str, Any], body: Any) -> Any:
    rows = body.get("rows", [])
    if not request["group_by"]:
        (row,) = rows
        return numbers(row.get("metrics", {}))
    return [{**row["labels"], "metrics": numbers(row["metrics"])} for row in rows]


def daily(request: Mapping[str, Any], body: Any) -> Any:
    return [
        {
            "date": "{year:04}-{month:02}-{day:02}".format(**row["date"]),
            **row.get("labels", {}),
            "metrics": numbers(row.get("metrics", {})),
        }
        for row in body.get("rows", [])
    ]


def timeseries(request: Mapping[str, Any], body: Any) -> Any:
    values = [
        [epoch(each["start_time"]), number(each.get("value", 0.0))]
        for each in body.get("buckets", [])
    ]
    metric = {"metric_name": request["metric_name"]}
    result = [{"metric": metric, "values": values}] if values else []
    return {"resultType": "matrix", "result": result}


def sessions(request: Mapping[str, Any], body: Any) -> Any:
    named = ("metric_name", "agent_id", "environment_id")
    result = [
        {
            "metric": {key: each[key] for key in named if key in each} | each.get("tags", {}),
            "value": [epoch(each["last_occur_time"]), number(each.get("value", 0.0))],
        }
        for each in body.get("metrics", [])
    ]
    return {"resultType": "vector", "result": result}


def tags(request: Mapping[str, Any], body: Any) -> Any:
    return {key: each["values"] for key, each in body.get("tags", {}).items()}


WRITERS = {
    "names": lambda request, body: body.get("names", []),
    "aggregate": aggregate,
    "daily": daily,
    "timeseries": timeseries,
    "sessions": sessions,
    "tags": tags,
}


def with_numbers(answer: Any) -> Any:
    """Return a documented answer with numbers in the place of their texts."""
    result = answer["data"].get("result", []) if isinstance(answer["data"], dict) else []
    for entry in result if isinstance(result, list) else []:
        for pair in entry.get("values", [entry.get("value")]):
            pair[1] = number(float(pair[1]))
    return answer


CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_typed_method_answers_what_the_documented_path_answers(owner: Caller, case: Case) -> None:
    owner.record(case.load)
    for ask in case.asks:
        if ask.method == "POST":
            assert ask.body is not None
            owner.rest("POST", ask.path, body=ask.body.encode())
            continue
        try:
            name, request = typed(ask)
        except InvalidArgument:
            # Text that cannot be read has no typed form.
            assert ask.refused is not None
            continue
        compare(ask, request, owner.rpc(name, request))


def compare(ask: Ask, request: Mapping[str, Any], answer: Answer) -> None:
    if ask.refused is not None:
        assert answer.code == 3, (ask, answer.body)
        expected = [FIELDS.get(name, name) for name in ask.refused.fields or ()]
        assert answer.fields == expected, ask
        return
    assert answer.code == 0, (ask, answer.body)
    documented = with_numbers(json.loads(json.dumps(ask.answer)))
    assert canonical(as_documented(ask, request, answer.body)) == canonical(documented), ask
