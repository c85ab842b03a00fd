"""What each role may do, and how soon a key that is no longer good is refused."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.end_to_end.api import METHODS, OF_ORGANIZATIONS, Method
from tests.end_to_end.callers import Caller, bearer
from tests.end_to_end.conftest import new_name, with_key
from tests.waiting import SECONDS

from vumeter_server.access.keys import new_key
from vumeter_server.access.roles import LIVE_ROLES, Role

NAMES = "/v1/custom-metrics/names"
LIST_NAMES = "vumeter.custom_metrics.v1.CustomMetricsService/ListMetricNames"
DELETE = "/v1/custom-metrics/delete"
DELETE_POINTS = "vumeter.custom_metrics.v1.CustomMetricsService/DeletePoints"
RECORD = "vumeter.custom_metrics.v1.CustomMetricsService/RecordPoints"
POINT = {"name": "booking_attempt", "tags": {"origin": "phone"}}
RANGE = {"startDate": "2025-04-01", "endDate": "2025-04-02"}
SELECTION = {
    "selection": {"start_time": "2025-04-01T00:00:00Z", "end_time": "2025-04-02T00:00:00Z"}
}
# What each query needs to be answered; a query without an entry fails by name.
PATHS = {
    "GetNames": (NAMES, {}),
    "GetMetrics": ("/v1/custom-metrics/metrics", {}),
    "GetAggregate": ("/v1/custom-metrics/aggregate", RANGE),
    "GetDaily": ("/v1/custom-metrics/daily", RANGE),
    "GetTimeseries": ("/v1/custom-metrics/timeseries", {**RANGE, "metricName": "booking_attempt"}),
    "GetTags": ("/v1/custom-metrics/tags", {}),
    "QueryUsage": ("/v1/custom-metrics/usage", {}),
    "GetSession": ("/v1/custom-metrics/sessions/s1", {}),
}
# A query that is asked with a body.
BODIES = {
    "Query": {**RANGE, "metrics": [{"as": "n", "metric": "booking_attempt", "function": "count"}]},
}
REQUESTS = {
    "ListMetricNames": {},
    "ListMetrics": {},
    "AggregateMetrics": SELECTION,
    "ListDailyMetrics": SELECTION,
    "QueryTimeseries": {**SELECTION, "metric_name": "booking_attempt"},
    "QueryMetrics": {
        **SELECTION["selection"],
        "metrics": [{"as": "n", "metric": "booking_attempt", "function": "QUERY_FUNCTION_COUNT"}],
    },
    "ExportPoints": {},
    "ListTags": {},
    "GetUsage": {},
    "GetSessionMetrics": {"session_id": "s1"},
}
QUERIES = [method for method in METHODS if method.family == "custom_metrics" and method.is_query]
ROLES = [(role, method) for role in Role for method in QUERIES if role not in LIVE_ROLES]
FORBIDDEN = {"code": 7, "message": "Insufficient permissions", "details": []}


def ask(caller: Caller, method: Method) -> tuple[int, object]:
    name = method.descriptor.name
    if name in BODIES:
        answer = caller.post(method.path, BODIES[name])
    elif method.is_rest:
        answer = caller.get(PATHS[name][0], **PATHS[name][1])
    else:
        answer = caller.rpc(method.name, REQUESTS[name])
    # A stream that is not refused answers with its messages.
    return answer.code, None if isinstance(answer.body, list) else answer.body.get("message")


@pytest.mark.parametrize(
    ("role", "method"), ROLES, ids=[f"{role}-{method.name}" for role, method in ROLES]
)
def test_a_member_records_and_only_admins_and_owners_query(
    anybody: Caller, role: Role, method: Method
) -> None:
    caller = with_key(anybody, new_name(), role)
    assert caller.post("/v1/custom-metrics", {"points": [POINT]}).status == 200
    assert caller.rpc(RECORD, {"points": [POINT]}).body == {"recorded": "1"}
    refused = (7, "Insufficient permissions")
    assert ask(caller, method) == (refused if role is Role.MEMBER else (0, None))


@pytest.mark.parametrize("role", sorted(LIVE_ROLES))
@pytest.mark.parametrize(
    "method", OF_ORGANIZATIONS, ids=[method.name for method in OF_ORGANIZATIONS]
)
def test_a_key_for_live_metrics_opens_nothing_of_its_organization(
    anybody: Caller, role: Role, method: Method
) -> None:
    key = anybody.stack.make_key("the operator", role)
    caller = anybody.showing(bearer(key))
    assert caller.rpc(method.name, [] if method.descriptor.client_streaming else {}).body == (
        FORBIDDEN
    )
    if method.is_rest:
        path = method.path.replace("{session_id}", "s1")
        answer = caller.rest(method.verb, path, body={} if method.verb == "POST" else None)
        assert (answer.status, answer.body) == (403, FORBIDDEN)


@pytest.mark.parametrize("role", list(Role), ids=list(Role))
def test_only_an_owner_deletes(anybody: Caller, role: Role) -> None:
    organization = new_name()
    caller = with_key(anybody, organization, role)
    with_key(anybody, organization).record([POINT, POINT])
    for dry_run in (True, False):
        answer = caller.post(DELETE, {"metricNames": ["booking_attempt"], "dryRun": dry_run})
        typed = caller.rpc(DELETE_POINTS, {"metric_names": ["booking_attempt"], "dry_run": dry_run})
        if role is Role.OWNER:
            assert answer.body == {"data": {"deleted": 2}}
            assert typed.body == ({"deleted": "2"} if dry_run else {})
        else:
            assert (answer.status, typed.code) == (403, 7)
            assert answer.body["message"] == typed.body["message"] == "Insufficient permissions"
    names = [] if role is Role.OWNER else ["booking_attempt"]
    assert with_key(anybody, organization).get(NAMES).body == {"data": names}


def test_the_member_and_the_owner_of_one_organization_see_the_same_points(anybody: Caller) -> None:
    organization = new_name()
    with_key(anybody, organization, Role.MEMBER).record([POINT])
    assert with_key(anybody, organization, Role.ADMIN).get(NAMES).body == {
        "data": ["booking_attempt"]
    }


def test_a_revoked_key_is_refused_within_a_second_on_both_apis(anybody: Caller) -> None:
    key = anybody.stack.make_key(new_name())
    caller = anybody.showing(bearer(key))
    assert caller.get(NAMES).status == 200
    anybody.stack.revoke_key(key)
    assert last_begun_before(lambda: caller.get(NAMES).status == 401) < 1
    assert caller.rpc(LIST_NAMES).code == 16
    assert caller.post("/v1/custom-metrics", {"points": [POINT]}).status == 401


def test_an_expired_key_is_refused_within_a_second_on_both_apis(anybody: Caller) -> None:
    made = time.monotonic()
    expires_us = time.time_ns() // 1_000 + 3_000_000
    caller = anybody.showing(bearer(anybody.stack.make_key(new_name(), expires_us=expires_us)))
    assert caller.get(NAMES).status == 200
    waited = time.monotonic() - made
    last_begun = waited + last_begun_before(lambda: caller.get(NAMES).status == 401)
    assert last_begun < 3 + 1
    assert expires_us <= time.time_ns() // 1_000
    assert caller.rpc(LIST_NAMES).code == 16


def test_a_new_key_is_good_within_a_second_though_it_was_tried_before(
    anybody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    caller = anybody.showing(bearer(key))
    assert caller.get(NAMES).status == 401
    assert caller.rpc(LIST_NAMES).code == 16
    # The key that is created now is the one that was tried.
    for store in ("sqlite.store", "clickhouse.administration"):
        monkeypatch.setattr(f"vumeter_server.access.{store}.new_key", lambda: key)
    assert anybody.stack.make_key(new_name()) == key
    assert last_begun_before(lambda: caller.get(NAMES).status == 200) < 1
    assert caller.rpc(LIST_NAMES).code == 0


def last_begun_before(holds: Callable[[], bool]) -> float:
    """Ask until something holds; return after how many seconds it was asked last that it did not.

    A machine that answers slowly does not make that longer.
    """
    started = time.monotonic()
    last_begun = 0.0
    while True:
        begun = time.monotonic() - started
        if holds():
            return last_begun
        assert begun < SECONDS, "waited in vain"
        last_begun = begun
