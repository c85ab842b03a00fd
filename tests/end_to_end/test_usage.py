"""Usage through the product: both APIs say the same, and what was rejected is in it."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.callers import Answer, Caller, bearer
from tests.end_to_end.conftest import new_name, with_key
from tests.waiting import until

from vumeter_server.access.roles import Role

RECORDING = "/v1/custom-metrics"
USAGE = "/v1/custom-metrics/usage"
SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
POINT = {"name": "booking_attempt", "tags": {"origin": "phone"}}
AHEAD = {**POINT, "timestamp": "2999-01-01T00:00:00Z"}
OTHER_TYPE = {**POINT, "type": "gauge", "value": 1}
LABEL = "Booking agent"
EXPORT = "/v1/metrics"


def usage(caller: Caller, **query: str) -> dict[str, Any]:
    """Return the data of usage; both APIs say the same."""
    rpc_query = {name: int(text) for name, text in query.items()}
    answer = caller.get(USAGE, **query)
    while True:
        typed = caller.rpc(f"{SERVICE}/GetUsage", rpc_query)
        before, answer = answer, caller.get(USAGE, **query)
        assert answer.status == 200, answer.body
        # Uses and rejections are counted a little later, so it may have changed meanwhile.
        if answer.body["data"] == before.body["data"]:
            break
    data: dict[str, Any] = answer.body["data"]
    assert typed.code == 0, typed.body
    assert int(typed.body.get("points", 0)) == data["points"]
    names = [each["metric_name"] for each in typed.body.get("by_metric", [])]
    assert names == [each["metric"] for each in data["byMetric"]]
    labels = {each["label"]: int(each["values"]) for each in typed.body.get("by_label", [])}
    assert labels == {each["label"]: each["values"] for each in data["byLabel"]}
    assert [(each["key_id"], each.get("label")) for each in typed.body["keys"]] == [
        (each["keyId"], each["label"]) for each in data["keys"]
    ]
    assert [each.get("key_label") for each in typed.body.get("rejected", [])] == [
        each["keyLabel"] for each in data["rejected"]
    ]
    return data


def refused(answer: Answer) -> None:
    assert answer.status in (400, 413), answer.body


def test_rejected_recordings_are_counted_by_reason_and_key(anybody: Caller) -> None:
    organization = new_name()
    owner = with_key(anybody, organization)
    key = anybody.stack.make_key(organization, Role.MEMBER, label=LABEL)
    member = anybody.showing(bearer(key))
    member.record([POINT])
    refused(member.post(RECORDING, {"points": [POINT, AHEAD]}))
    refused(member.post(RECORDING, {"points": [OTHER_TYPE] * 3}))
    refused(member.post(RECORDING, {"points": [{"name": 7}]}))
    refused(member.post(RECORDING, b"{"))
    assert member.rpc(f"{SERVICE}/RecordPoints", {"points": [{"name": ""}] * 2}).code == 3
    streamed = member.rpc(
        f"{SERVICE}/StreamPoints",
        [
            {"points": [POINT]},
            {"points": [{"name": POINT["name"], "occur_time": AHEAD["timestamp"]}]},
        ],
    )
    assert [each.get("error", {}).get("code", 0) for each in streamed.body] == [0, 3]
    refused(
        member.post(
            EXPORT,
            {"resourceMetrics": "none"},
        )
    )
    expected = {("malformed", 4, 2), ("clock", 2, 3), ("type", 1, 3)}

    def is_counted() -> bool:
        found = usage(owner)["rejected"]
        assert {(each["keyId"], each["keyLabel"]) for each in found} <= {(key.key_id, LABEL)}
        return {(each["reason"], each["requests"], each["points"]) for each in found} == expected

    until(is_counted)
    assert usage(with_key(anybody, new_name()))["rejected"] == []


def test_points_that_are_rejected_of_an_export_are_counted_alone(owner: Caller) -> None:
    owner.record([POINT])
    number = {"timeUnixNano": "1743501600000000000", "asInt": "1"}
    gauge = {"name": "booking_attempt", "gauge": {"dataPoints": [number, number]}}
    good = {"name": "queue_length", "gauge": {"dataPoints": [number]}}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge, good]}]}]}
    assert owner.post(EXPORT, body).status == 200
    # A repeat is the same request.
    assert owner.post(EXPORT, body).status == 200
    until(
        lambda: (
            [
                (each["reason"], each["requests"], each["points"])
                for each in usage(owner)["rejected"]
            ]
            == [("type", 1, 2)]
        )
    )
    assert usage(owner)["points"] == 2


def test_the_last_use_of_keys_is_shown_and_lists_are_as_long_as_asked(anybody: Caller) -> None:
    organization = new_name()
    owner = with_key(anybody, organization)
    never = anybody.stack.make_key(organization, Role.REPORTER)
    revoked = anybody.stack.make_key(organization, Role.ADMIN)
    anybody.stack.revoke_key(revoked)
    owner.record([POINT, {**POINT, "name": "sessions_handled"}, POINT])

    def is_used() -> bool:
        keys = usage(owner)["keys"]
        assert [each["state"] for each in keys if each["keyId"] == revoked.key_id] == ["revoked"]
        assert [each["role"] for each in keys if each["keyId"] == never.key_id] == ["reporter"]
        return [each["lastUseTime"] is None for each in keys] == [False, True, True]

    until(is_used)
    data = usage(owner, limit="1")
    assert (data["metrics"], data["points"], len(data["keys"])) == (2, 3, 1)
    assert [(each["metric"], each["points"]) for each in data["byMetric"]] == [
        ("booking_attempt", 2)
    ]
