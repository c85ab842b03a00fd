"""Limits of an organization, through the product: the same on both APIs and for OpenTelemetry."""

from __future__ import annotations

from typing import Any

import pytest
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.conftest import new_name, with_key
from tests.waiting import until

from vumeter_server.access.roles import Role

RECORDING = "/v1/custom-metrics"
USAGE = "/v1/custom-metrics/usage"
EXPORT = "/v1/metrics"
SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
RESOURCE_EXHAUSTED = 8
NOON = "2025-04-01T12:00:00Z"


class Limited:
    """An organization with limits of its own, and an owner and a member who call."""

    def __init__(self, anybody: Caller, **limits: int) -> None:
        name = new_name()
        self._anybody, self._name = anybody, name
        self.owner = with_key(anybody, name)
        self.member = with_key(anybody, name, Role.MEMBER)
        self.change(**limits)

    def change(self, **limits: int | None) -> None:
        """Change limits, and wait until they hold for the owner."""
        self._anybody.stack.change_limits(self._name, limits)
        words = {name: "".join(word.title() for word in name.split("_")) for name in limits}
        names = {name: word[0].lower() + word[1:] for name, word in words.items()}
        until(
            lambda: all(
                self.usage()["limits"][names[name]] == value
                for name, value in limits.items()
                if value is not None
            )
        )

    def usage(self) -> dict[str, Any]:
        answers: list[Answer] = []

        def is_answered() -> bool:
            answers.append(self.owner.get(USAGE))
            return answers[-1].status == 200

        # It may itself be one request too many.
        until(is_answered)
        data: dict[str, Any] = answers[-1].body["data"]
        return data

    def refused(self) -> dict[str, int]:
        """Return how many requests were rejected by reason."""
        counted: dict[str, int] = {}
        for each in self.usage()["rejected"]:
            counted[each["reason"]] = counted.get(each["reason"], 0) + each["requests"]
        return counted


def retry_after(answer: Answer) -> int:
    """Return the seconds that a rejected call is told to wait; both APIs have them."""
    (info,) = [each for each in answer.body["details"] if each["@type"].endswith("RetryInfo")]
    assert f"{answer.headers['retry-after']}s" == info["retryDelay"]
    return int(answer.headers["retry-after"])


def test_a_metric_beyond_the_limit_is_refused_and_named_on_both_apis(anybody: Caller) -> None:
    limited = Limited(anybody, metrics=2)
    points = [{"name": "booking_attempt"}, {"name": "turns"}]
    limited.member.record(points)
    message = "points[1].name must not add to the limit of 2 metrics: one_too_many"
    more = [points[0], {"name": "one_too_many"}]
    rest = limited.member.post(RECORDING, {"points": more})
    assert (rest.status, rest.code, rest.message) == (429, RESOURCE_EXHAUSTED, message)
    typed = limited.member.rpc(f"{SERVICE}/RecordPoints", {"points": more})
    assert (typed.code, typed.message) == (RESOURCE_EXHAUSTED, message)
    for answer in (rest, typed):
        assert answer.fields == ["points[1].name"]
        assert retry_after(answer) == 60
    streamed = limited.member.rpc(
        f"{SERVICE}/StreamPoints", [{"points": more}, {"points": points}]
    ).body
    assert streamed[0]["error"]["message"] == message
    assert streamed[1]["recorded"] == "2"
    # Whether there is room is not part of a dry run, and nothing was recorded of any batch.
    assert limited.member.post(RECORDING, {"points": more, "dryRun": True}).status == 200
    assert [(each["metric"], each["points"]) for each in limited.usage()["byMetric"]] == [
        ("booking_attempt", 2),
        ("turns", 2),
    ]
    until(lambda: limited.refused() == {"limit": 3})
    limited.change(metrics=3)
    # The server reads what it knows of a key again after a second, of each key by itself.
    until(lambda: limited.member.post(RECORDING, {"points": more}).status == 200)


def test_a_deleted_metric_makes_room_for_another(anybody: Caller) -> None:
    limited = Limited(anybody, metrics=1)
    limited.member.record([{"name": "first"}])
    assert limited.member.post(RECORDING, {"points": [{"name": "second"}]}).status == 429
    deleted = limited.owner.post("/v1/custom-metrics/delete", {"metricNames": ["first"]})
    assert deleted.body == {"data": {"deleted": 1}}
    limited.member.record([{"name": "second"}])
    assert limited.member.post(RECORDING, {"points": [{"name": "first"}]}).status == 429


def test_values_beyond_the_limit_of_a_label_are_recorded_as_other(anybody: Caller) -> None:
    limited = Limited(anybody, label_values=2)
    for value in ("a", "b", "c", "d", "a"):
        point = {"name": "calls", "timestamp": NOON, "tags": {"company_id": value}}
        limited.member.record([point])
    typed = {"name": "calls", "occur_time": NOON, "tags": {"company_id": "e"}}
    assert limited.member.rpc(f"{SERVICE}/RecordPoints", {"points": [typed]}).code == 0
    export(limited.member, "calls", company_id="f")
    answer = limited.owner.get(
        "/v1/custom-metrics/aggregate",
        startDate="2025-04-01",
        endDate="2025-04-02",
        groupBy="company_id",
        metricNames="calls",
    )
    found = {row["company_id"]: row["metrics"]["calls"] for row in answer.body["data"]}
    assert found == {"a": 2, "b": 1, "__other__": 4}
    assert limited.usage()["byLabel"] == [
        {"label": "company_id", "values": 2, "labelSets": 3, "hasOther": True}
    ]
    # Nothing was rejected.
    assert limited.refused() == {}


def test_beyond_the_limit_of_label_sets_all_tags_are_other(anybody: Caller) -> None:
    limited = Limited(anybody, label_sets=2)
    for company, topic in (("a", "x"), ("a", "y"), ("b", "x"), ("a", "z"), ("a", "x")):
        tags = {"company_id": company, "topic": topic}
        limited.member.record([{"name": "calls", "agentId": "agent_1", "tags": tags}])
    usage = limited.usage()
    assert usage["labelSets"] == 3
    assert {each["label"]: (each["values"], each["hasOther"]) for each in usage["byLabel"]} == {
        "agent_id": (1, False),
        "company_id": (1, True),
        "topic": (2, True),
    }


def export(caller: Caller, metric: str, **attributes: str) -> Answer:
    """Send one point as an exporter does, and return the answer."""
    point = {
        "timeUnixNano": "1743501600000000000",
        "asInt": "1",
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
        ],
    }
    sums = {"name": metric, "sum": {"dataPoints": [point], "aggregationTemporality": 1}}
    sums["sum"]["isMonotonic"] = True  # type: ignore[index]
    answer = caller.post(EXPORT, {"resourceMetrics": [{"scopeMetrics": [{"metrics": [sums]}]}]})
    assert answer.status == 200, answer.body
    return answer


def test_a_metric_beyond_the_limit_is_rejected_of_an_export_alone(anybody: Caller) -> None:
    limited = Limited(anybody, metrics=1)
    assert "partialSuccess" not in export(limited.member, "calls").body
    refused = export(limited.member, "one_too_many").body["partialSuccess"]
    assert int(refused["rejectedDataPoints"]) == 1
    assert refused["errorMessage"].startswith("one_too_many must not be a new metric")
    export(limited.member, "calls", company_id="a")
    assert [each["metric"] for each in limited.usage()["byMetric"]] == ["calls"]
    until(lambda: limited.refused() == {"limit": 1})


@pytest.mark.parametrize("api", ["REST", "gRPC", "OpenTelemetry"])
def test_a_key_that_has_recorded_its_points_waits(anybody: Caller, api: str) -> None:
    limited = Limited(anybody, points_per_second=1)
    # So many are owed that no second that passes meanwhile is enough.
    limited.member.record([{"name": "calls"}] * 5_000)
    message = "A key has at most 1 point per second"
    if api == "REST":
        answer = limited.member.post(RECORDING, {"points": [{"name": "calls"}]})
        assert answer.status == 429
    elif api == "gRPC":
        answer = limited.member.rpc(f"{SERVICE}/RecordPoints", {"points": [{"name": "calls"}]})
    else:
        body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [GAUGE]}]}]}
        answer = limited.member.post(EXPORT, body)
        assert answer.status == 429
    assert answer.message == message
    if api != "OpenTelemetry":
        assert 3_000 < retry_after(answer) <= 5_000
    until(lambda: limited.refused() == {"limit": 1})
    # Another key has its own points, and what records nothing goes on.
    limited.owner.record([{"name": "calls"}])
    dry = limited.member.post(RECORDING, {"points": [{"name": "calls"}], "dryRun": True})
    assert dry.status == 200
    assert limited.usage()["points"] == 5_001


GAUGE = {
    "name": "queue_length",
    "gauge": {"dataPoints": [{"timeUnixNano": "1743501600000000000", "asInt": "1"}]},
}


@pytest.mark.parametrize(
    ("role", "asking"),
    [
        (Role.ADMIN, ("GET", "/v1/custom-metrics/names")),
        (Role.MEMBER, ("GET", "/v1/custom-metrics/names")),
        (Role.OPERATOR, ("GET", "/api/v1/metrics/live")),
        (Role.ADMIN, f"{SERVICE}/ListMetricNames"),
    ],
)
def test_a_key_that_calls_too_often_waits_whatever_it_calls(
    anybody: Caller, role: Role, asking: tuple[str, str] | str
) -> None:
    limited = Limited(anybody, requests_per_second=1)
    caller = with_key(anybody, limited._name, role)
    caller = caller.showing(
        {name: value for name, value in caller.credentials.items() if name != "x-admin-token"}
    )
    refused: list[Answer] = []

    def is_refused() -> bool:
        answer = caller.rpc(asking) if isinstance(asking, str) else caller.rest(*asking)
        refused.extend([answer] if answer.code == RESOURCE_EXHAUSTED else [])
        return bool(refused)

    until(is_refused, every_seconds=0)
    assert refused[0].message == "A key has at most 1 request per second"
    assert retry_after(refused[0]) == 1
    limited.change(requests_per_second=None)
    until(lambda: limited.owner.get(USAGE).status == 200)
    until(lambda: "limit" in limited.refused())
