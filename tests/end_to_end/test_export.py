"""Export over gRPC from a running product: what comes out can be recorded again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.conftest import new_name, with_key

FILTER = {"label": "origin", "operator": "LABEL_OPERATOR_EQUAL", "values": ["web"]}
SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
EXPORT = f"{SERVICE}/ExportPoints"
TAGS = {f"label_{number}": f'{number},"\n東京' for number in range(32)}
POINTS = [
    {"name": "booking", "value": 2, "timestamp": "2025-04-01T10:00:00.000001Z", "tags": TAGS},
    {"name": "booking", "timestamp": "2025-04-01T10:00:00.000001Z", "agentId": "agent_1"},
    {
        **{"name": "queue", "type": "gauge", "value": -0.1, "timestamp": "2025-04-02T10:00:00Z"},
        **{"environmentId": "production", "sessionId": "session_1"},
    },
    {
        **{"name": "latency_ms", "type": "histogram", "timestamp": "2025-04-03T10:00:00Z"},
        "distribution": {
            **{"count": 6, "sum": 3600.5, "min": 5, "max": 1815},
            **{"bounds": [500, 1000, 2000], "bucketCounts": [2, 3, 1, 0]},
        },
    },
    {"name": "latency_ms", "value": 480.25, "timestamp": "2025-04-03T10:00:00Z"},
]
RANGE = {"startDate": "2025-04-01", "endDate": "2025-05-01"}
QUERY = {
    **RANGE,
    **{"step": "day", "groupBy": ["agent_id", "session_id", "label_31"]},
    "metrics": [
        {"as": f"{function}_{metric}", "metric": metric, "function": function}
        for metric in ("booking", "queue", "latency_ms")
        for function in ("sum", "count", "min", "max", "last", "sessions")
    ]
    + [
        {"as": f"p{p}", "metric": "latency_ms", "function": "percentile", "percentile": p}
        for p in (1, 50, 99)
    ],
}


@pytest.fixture
def filled(owner: Caller) -> Caller:
    owner.record(POINTS)
    return owner


def exported(caller: Caller, **request: Any) -> list[dict[str, Any]]:
    answer = caller.rpc(EXPORT, request)
    assert answer.code == 0, answer.body
    messages: list[dict[str, Any]] = answer.body
    return messages


def answers(caller: Caller) -> list[Any]:
    asked = [caller.post("/v1/custom-metrics/query", QUERY).body]
    for path in ("names", "tags", "sessions/session_1"):
        asked.append(caller.get(f"/v1/custom-metrics/{path}").body)
    return asked


def refused(answer: Answer) -> tuple[int, list[str]]:
    return answer.code, answer.fields


def test_what_is_exported_and_recorded_again_answers_the_same(
    anybody: Caller, filled: Caller
) -> None:
    other = with_key(anybody, new_name())
    for message in exported(filled):
        request = {"columns": message["columns"]}
        assert other.rpc(f"{SERVICE}/RecordColumns", request).body == {"recorded": "5"}
    assert json.dumps(answers(other)) == json.dumps(answers(filled))
    assert exported(other) == [
        {**message, "resume_token": other_message["resume_token"]}
        for message, other_message in zip(exported(filled), exported(other), strict=True)
    ]


def test_ranges_metrics_and_filters_narrow_what_is_exported(filled: Caller) -> None:
    def times(**request: Any) -> list[str]:
        return [
            time
            for message in exported(filled, **request)
            for time in message["columns"]["times_us"]
        ]

    assert len(times()) == 5
    assert (
        len(times(start_time="2025-04-01T10:00:00.000002Z", end_time="2025-04-03T00:00:00Z")) == 1
    )
    assert len(times(metric_names=["queue", "booking", "unknown"])) == 3
    is_agent = {"label": "agent_id", "operator": "LABEL_OPERATOR_MATCHES", "values": ["agent_.*"]}
    assert len(times(filters=[is_agent])) == 1
    of_session = {"label": "session_id", "operator": "LABEL_OPERATOR_EQUAL", "values": [""]}
    assert len(times(filters=[of_session])) == 4
    assert exported(filled, start_time="2026-01-01T00:00:00Z") == []


def test_a_stream_goes_on_behind_any_of_its_messages(owner: Caller) -> None:
    # Many points of one time, so that a message ends within them.
    owner.record(
        [{"name": "n", "timestamp": f"2025-04-0{1 + n // 9000}T00:00:00Z"} for n in range(24_000)]
    )
    messages = exported(owner)
    assert [len(message["columns"]["times_us"]) for message in messages] == [10_000, 10_000, 4_000]
    for place, message in enumerate(messages):
        rest = exported(owner, resume_token=message["resume_token"])
        assert [each["columns"] for each in rest] == [m["columns"] for m in messages[place + 1 :]]
        assert [each["resume_token"] for each in rest] == [
            each["resume_token"] for each in messages[place + 1 :]
        ]
    token = messages[0]["resume_token"]
    assert refused(owner.rpc(EXPORT, {"resume_token": token, "metric_names": ["n"]})) == (
        3,
        ["resume_token"],
    )
    assert refused(owner.rpc(EXPORT, {"resume_token": "x"})) == (3, ["resume_token"])


def test_no_message_is_larger_than_what_clients_take(owner: Caller, anybody: Caller) -> None:
    for start in range(0, 3_000, 500):
        numbers = range(start, start + 500)
        owner.record(
            [
                {
                    **{"name": "n", "timestamp": f"2025-04-01T00:{n // 60:02}:00Z"},
                    "tags": {f"label_{m}": f"{n} {'東' * 60}" for m in range(16)},
                    "sessionId": f"session {n}",
                }
                for n in numbers
            ]
        )
    messages = exported(owner)
    assert len(messages) > 1
    assert sum(len(message["columns"]["times_us"]) for message in messages) == 3_000
    assert {len(each["columns"]["label_sets"]) for each in messages} == {
        len(each["columns"]["times_us"]) for each in messages
    }
    for place, message in enumerate(messages):
        rest = exported(owner, resume_token=message["resume_token"])
        points = sum(len(each["columns"]["times_us"]) for each in messages[place + 1 :])
        assert sum(len(each["columns"]["times_us"]) for each in rest) == points
    other = with_key(anybody, new_name())
    for message in messages:
        recorded = other.rpc(f"{SERVICE}/RecordColumns", {"columns": message["columns"]})
        assert recorded.code == 0
    assert [each["columns"] for each in exported(other)] == [each["columns"] for each in messages]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"start_time": "2025-04-02T00:00:00Z", "end_time": "2025-04-01T00:00:00Z"}, "end_time"),
        ({"metric_names": ["x" * 201]}, "metric_names"),
        ({"metric_names": [""]}, "metric_names"),
        ({"metric_names": [f"m{n}" for n in range(101)]}, "metric_names"),
        ({"filters": [FILTER] * 21}, "filters"),
        ({"filters": [{**FILTER, "label": "organization_id"}]}, "filters[0].label"),
        ({"filters": [{**FILTER, "values": []}]}, "filters[0].values"),
        ({"filters": [{"label": "a", "values": ["b"]}]}, "filters[0].operator"),
        (
            {"filters": [{"label": "a", "operator": "LABEL_OPERATOR_MATCHES", "values": ["("]}]},
            "filters[0].values",
        ),
    ],
)
def test_what_cannot_be_exported_is_named(
    owner: Caller, request_: dict[str, Any], field: str
) -> None:
    assert refused(owner.rpc(EXPORT, request_)) == (3, [field])
