"""The rows of the error table, on both APIs, and that no answer and no log line tells too much."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from tests.end_to_end.api import BY_NAME, CLOSED, CLOSED_REST, METHODS, REST, TYPED, Method
from tests.end_to_end.callers import Answer, Caller, bearer
from tests.end_to_end.conftest import connected, new_name, with_key
from tests.end_to_end.leaks import LEAK
from tests.stack import Start

from vumeter_server.access.keys import NewKey, new_key
from vumeter_server.access.roles import Role

SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
NAMES = "/v1/custom-metrics/names"
LIST_NAMES = f"{SERVICE}/ListMetricNames"
UNAUTHENTICATED = {"code": 16, "message": "Missing or invalid credentials", "details": []}
FORBIDDEN = {"code": 7, "message": "Insufficient permissions", "details": []}
SOME_KEY = new_key()


def is_refused(answer: Answer, status: int, body: Mapping[str, Any]) -> None:
    """The answer is this google.rpc.Status, as every refusal is sent."""
    assert answer.body == body
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert not [name for name in answer.headers if name.startswith(("grpc-", "x-envoy"))]


def wrong_credentials(key: NewKey) -> dict[str, dict[str, str]]:
    """What may be wrong with a credential, in the headers of every family."""
    other = NewKey(key_id=key.key_id, secret=SOME_KEY.secret)
    return {
        "none": {},
        "unknown": bearer(SOME_KEY),
        "wrong secret": bearer(other),
        "cut off": bearer(NewKey(key_id=key.key_id, secret=key.secret[:-1])),
        "no secret": {"authorization": f"Bearer {key.key_id}", "x-api-key": key.key_id},
        "another scheme": {"authorization": f"Basic {key.bearer}"},
        "no scheme": {"authorization": key.bearer},
        "swapped": {"x-api-key": key.secret, "x-secret-key": key.key_id},
        "not text": {"authorization": "Bearer ...", "x-api-key": "%00", "x-secret-key": "'--"},
        "wrong token": {"x-admin-token": "token-of-somebody-else-0123456789abcdef"},
    }


WRONG = sorted(wrong_credentials(SOME_KEY))


@pytest.mark.parametrize("cause", [*WRONG, "revoked", "expired"])
def test_401_has_one_text_for_all_causes(anybody: Caller, cause: str) -> None:
    stack = anybody.stack
    key = stack.make_key(new_name(), expires_us=1 if cause == "expired" else None)
    if cause == "revoked":
        stack.revoke_key(key)
    shown = wrong_credentials(key).get(cause) or bearer(key)
    caller = anybody.showing({} if cause == "none" else shown)
    is_refused(caller.get(NAMES), 401, UNAUTHENTICATED)
    answer = caller.rpc(LIST_NAMES)
    assert answer.body == UNAUTHENTICATED
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("method", CLOSED_REST, ids=[method.name for method in CLOSED_REST])
def test_every_path_asks_for_a_credential_before_it_looks_at_parameters(
    anybody: Caller, method: Method
) -> None:
    path = re.sub(r"\{\w+\}", "x", method.path)
    is_refused(anybody.rest(method.verb, path), 401, UNAUTHENTICATED)
    if method.query_parameters and method.verb == "GET":
        nonsense = dict.fromkeys(method.query_parameters, "%&{")
        is_refused(anybody.rest(method.verb, path, nonsense), 401, UNAUTHENTICATED)


@pytest.mark.parametrize("method", CLOSED, ids=[method.name for method in CLOSED])
def test_every_method_asks_for_a_credential_before_it_reads_the_message(
    anybody: Caller, method: Method
) -> None:
    for message in (b"", b"\xff"):
        sent = [message] if method.descriptor.client_streaming else message
        assert anybody.rpc(method.name, sent).body == UNAUTHENTICATED


def test_a_credential_of_another_family_is_no_credential(anybody: Caller) -> None:
    key = anybody.stack.make_key(new_name())
    pair = {"x-api-key": key.key_id, "x-secret-key": key.secret}
    for shown in (pair, {"x-admin-token": anybody.stack.admin_token}):
        is_refused(anybody.showing(shown).get(NAMES), 401, UNAUTHENTICATED)
        assert anybody.showing(shown).rpc(LIST_NAMES).body == UNAUTHENTICATED


def test_a_credential_in_the_url_is_no_credential(anybody: Caller) -> None:
    key = anybody.stack.make_key(new_name())
    for query in ({"authorization": f"Bearer {key.bearer}"}, {"access_token": key.bearer}):
        assert anybody.get(NAMES, **query).status in (400, 401)


QUERIES = [m for m in METHODS if m.family == "custom_metrics" and m.is_query]


@pytest.mark.parametrize("method", QUERIES, ids=[method.name for method in QUERIES])
def test_a_role_is_looked_at_before_parameters(anybody: Caller, method: Method) -> None:
    member = with_key(anybody, new_name(), Role.MEMBER)
    assert member.rpc(method.name, b"\xff").body == FORBIDDEN
    if method.is_rest:
        path = re.sub(r"\{\w+\}", "s" * 300, method.path)
        nonsense = dict.fromkeys(method.query_parameters, "%&{")
        is_refused(member.rest(method.verb, path, nonsense), 403, FORBIDDEN)


def test_an_unknown_path_is_404(owner: Caller) -> None:
    for verb, path in (("GET", "/v1/custom-metrics/nmaes"), ("POST", "/v1"), ("GET", "/v2")):
        is_refused(owner.rest(verb, path), 404, {"code": 5, "message": "Not found", "details": []})


@pytest.mark.parametrize("method", REST, ids=[method.name for method in REST])
def test_another_method_of_a_documented_path_is_405(owner: Caller, method: Method) -> None:
    path = re.sub(r"\{\w+\}", "some", method.path)
    for verb in {"GET", "POST", "DELETE"} - {method.verb}:
        status = {"code": 12, "message": "Method not allowed", "details": []}
        is_refused(owner.rest(verb, path), 405, status)


def test_an_unknown_method_of_grpc_is_unimplemented(owner: Caller) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = owner.channel.unary_unary(
        f"/{SERVICE}/DropEverything"
    )
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not LEAK.search(str(caught.value.details()))


def test_a_key_that_was_used_with_other_content_is_409(owner: Caller) -> None:
    point = {"name": "booking_attempt"}
    first = {"points": [point], "idempotencyKey": "calls-2025-04-01"}
    assert owner.post("/v1/custom-metrics", first).status == 200
    again = {"points": [point, point], "idempotencyKey": "calls-2025-04-01"}
    refused = owner.post("/v1/custom-metrics", again)
    message = "idempotencyKey was used before with other content"
    assert (refused.status, refused.code, refused.message) == (409, 6, message)
    assert refused.fields == ["idempotencyKey"]
    typed = {"points": [point, point], "idempotency_key": "calls-2025-04-01"}
    refused = owner.rpc(f"{SERVICE}/RecordPoints", typed)
    assert (refused.code, refused.fields) == (6, ["idempotency_key"])


@pytest.mark.parametrize("path", sorted({m.path for m in REST if m.verb == "POST"}))
def test_a_body_of_5_mb_is_413(owner: Caller, path: str) -> None:
    answer = owner.post(path, b'{"points":[]' + b" " * 5_000_000 + b"}")
    message = "The request body is larger than 4 MiB"
    is_refused(answer, 413, {"code": 8, "message": message, "details": []})


def test_a_request_id_comes_back_on_both_apis(owner: Caller, anybody: Caller) -> None:
    shown = {"x-request-id": "call-17/try-2"}
    for caller in (owner, anybody):
        answer = caller.rest("GET", NAMES, headers=shown)
        assert answer.headers["x-request-id"] == "call-17/try-2"
        assert caller.rpc(LIST_NAMES, metadata=shown).headers["x-request-id"] == "call-17/try-2"


def test_a_query_that_takes_too_long_is_504_and_recording_is_not_held_to_that(
    start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("slow")
    stack = start(directory, VUMETER_QUERY_TIMEOUT_SECONDS="0.000001")
    late = {"code": 4, "message": "Deadline exceeded", "details": []}
    with connected(stack) as anybody:
        owner = with_key(anybody, new_name())
        owner.record([{"name": "booking_attempt"}])
        # What is in memory is answered before anybody can be late.
        heavy = "/v1/custom-metrics/aggregate?startDate=2025-01-01&endDate=2025-01-02&groupBy=a"
        is_refused(owner.get(heavy), 504, late)
        selection = {"start_time": "2025-01-01T00:00:00Z", "end_time": "2025-01-02T00:00:00Z"}
        asked = {"selection": selection, "group_by": ["a"]}
        assert owner.rpc(f"{SERVICE}/AggregateMetrics", asked).body == late
    assert stack.stop() == 0
    assert not LEAK.search(stack.log.read_text())


def test_a_callers_deadline_is_kept_and_the_next_call_is_answered(owner: Caller) -> None:
    sessions = [{"name": "booking_attempt", "sessionId": f"s{n}"} for n in range(30_000)]
    owner.record(sessions)
    heavy = {
        "selection": {"start_time": "2020-01-01T00:00:00Z", "end_time": "2029-12-31T00:00:00Z"},
        "group_by": ["session_id"],
    }
    started = time.monotonic()
    assert owner.rpc(f"{SERVICE}/AggregateMetrics", heavy, timeout=0.02).code == 4
    assert owner.rpc(LIST_NAMES).body == {"names": ["booking_attempt"]}
    in_time = time.monotonic() - started
    assert len(owner.rpc(f"{SERVICE}/AggregateMetrics", heavy).body["rows"]) == 30_000
    assert in_time < time.monotonic() - started - in_time


def test_refusals_are_logged_with_their_request_id_and_without_secrets(anybody: Caller) -> None:
    key = anybody.stack.make_key(new_name(), Role.MEMBER)
    member = anybody.showing({**bearer(key), "x-request-id": "refused-and-logged"})
    assert member.get(NAMES).status == 403
    log = anybody.stack.log.read_text()
    (line,) = [line for line in log.splitlines() if "refused-and-logged" in line]
    told = json.loads(line)
    assert told["key_id"] == key.key_id
    assert told["method"].endswith(".GetNames")
    assert (told["code"], told["message"]) == (7, "Insufficient permissions")
    assert key.secret not in log
    assert anybody.stack.admin_token not in log


def test_no_refusal_of_this_session_has_left_more_in_the_log_than_a_line(anybody: Caller) -> None:
    for line in anybody.stack.log.read_text().splitlines():
        told = json.loads(line)
        assert told["level"] in ("info", "warning"), line
        assert not LEAK.search(line)


def test_every_typed_method_can_be_asked(owner: Caller) -> None:
    """What is not registered would be answered by grpc itself."""
    for method in TYPED:
        sent: Any = [] if method.descriptor.client_streaming else {}
        stream = method.descriptor.server_streaming and not method.descriptor.client_streaming
        answer = owner.rpc(BY_NAME[method.name].name, sent, at_most=1 if stream else None)
        assert answer.code != grpc.StatusCode.UNIMPLEMENTED.value[0], method.name
