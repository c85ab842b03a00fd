"""Who may do what with live metrics: each method with each role, bound to a tenant and not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from tests.end_to_end.api import BY_NAME, POOL, Method
from tests.end_to_end.callers import Caller, as_json, bearer
from tests.end_to_end.live_asking import (
    ALL,
    BOUND,
    LIVE,
    OTHER,
    OWN,
    PATHS,
    RANGE,
    READS,
    RECORDS,
    SERVICE,
    TYPED_RANGE,
    answer_of_batch,
    ask,
    events,
    is_forbidden,
    key,
    typed,
)

from vumeter_server.access.roles import Role

# Which roles may call a method; and what a key that is bound to a tenant is answered when it asks
# about all tenants: "403", or the field that it must give.
TABLE: dict[str, tuple[set[str], str]] = {
    "PostEvents": (RECORDS, ""),
    "RecordEvents": (RECORDS, ""),
    "StreamEvents": (RECORDS, ""),
    "GetGlobalMetrics": (READS, "403"),
    "GetTenantMetrics": (READS, ""),
    "GetLiveMetrics": (READS, "403"),
    "GetCapacityDebug": (READS, "403"),
    "GetCapacity": (READS, "403"),
    "ListTenants": (READS, "403"),
    "GetTenants": (READS, "403"),
    "WatchMetrics": (READS, "tenant_id"),
    "WatchLiveMetrics": (READS, "tenant_id"),
    "GetMetricsHistory": (READS, "tenant_id"),
    "GetHistory": (READS, "tenant_id"),
    "ExportEvents": (READS, "tenant_id"),
    "SetTenantLimit": (set(), ""),
}
OF_ONE_TENANT = [
    name for name, (_, of_all) in TABLE.items() if of_all != "403" or name == "GetLiveMetrics"
]
OF_ALL = [name for name, (_, of_all) in TABLE.items() if of_all]


def test_the_table_names_every_method() -> None:
    assert TABLE.keys() == LIVE.keys()


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("role", Role)
def test_a_key_without_a_tenant_may_do_what_its_role_may_for_all_tenants(
    anybody: Caller, role: Role, name: str
) -> None:
    caller = key(anybody, role)
    for tenant_id in (OWN, OTHER, ALL):
        if tenant_id == ALL and name in {"GetTenantMetrics", "SetTenantLimit"}:
            continue
        answer = ask(caller, name, tenant_id)
        if role in TABLE[name][0]:
            assert answer.code == 0, answer.body
        else:
            assert is_forbidden(answer), answer.body


@pytest.mark.parametrize("name", OF_ONE_TENANT)
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.REPORTER])
def test_a_key_of_a_tenant_may_do_what_its_role_may_for_that_tenant_alone(
    anybody: Caller, role: Role, name: str
) -> None:
    caller = key(anybody, role, BOUND)
    own, other = ask(caller, name, OWN), ask(caller, name, OTHER)
    if role in TABLE[name][0]:
        assert own.code == 0, own.body
    else:
        assert is_forbidden(own), own.body
    assert is_forbidden(other), other.body


@pytest.mark.parametrize("name", OF_ALL)
def test_a_key_of_a_tenant_is_never_told_of_all_of_them(anybody: Caller, name: str) -> None:
    answer = ask(key(anybody, Role.OPERATOR, BOUND), name, ALL)
    if TABLE[name][1] == "403":
        assert is_forbidden(answer), answer.body
    else:
        message = "tenant_id must be given, since the key is for one tenant"
        assert (answer.code, answer.fields, answer.message) == (3, ["tenant_id"], message)


@pytest.mark.parametrize("name", TABLE)
def test_the_admin_token_may_do_everything_whatever_key_is_shown_beside_it(
    anybody: Caller, name: str
) -> None:
    beside = key(anybody, Role.REPORTER, BOUND)
    caller = beside.showing({**beside.credentials, "x-admin-token": anybody.stack.admin_token})
    assert ask(caller, name, OTHER).code == 0


@pytest.mark.parametrize("name", TABLE)
def test_a_wrong_admin_token_is_401_whatever_key_is_shown_beside_it(
    anybody: Caller, name: str
) -> None:
    for role in (Role.OPERATOR, Role.REPORTER):
        beside = key(anybody, role)
        caller = beside.showing({**beside.credentials, "x-admin-token": "x" * 40})
        assert ask(caller, name, OWN).code == 16


def test_a_pair_of_headers_is_no_credential_for_live_metrics(anybody: Caller) -> None:
    shown = dict(key(anybody, Role.OPERATOR).credentials)
    del shown["authorization"]
    assert anybody.showing(shown).get(f"{PATHS}/live").status == 401


@pytest.mark.parametrize("name", OF_ONE_TENANT)
def test_permission_is_looked_at_before_parameters(anybody: Caller, name: str) -> None:
    method: Method = LIVE[name]
    wrong = Role.REPORTER if TABLE[name][0] == READS else Role.OPERATOR
    nonsense: Any = [b"\xff"] if method.descriptor.client_streaming else b"\xff"
    assert is_forbidden(key(anybody, wrong).rpc(method.name, nonsense))


BATCHES = {
    "another tenant's event": lambda: [*events(OWN), *events(OTHER)],
    "another tenant's event, and a wrong one": lambda: [
        {**events(OWN)[0], "type": "audio"},
        *events(OTHER),
    ],
}


@pytest.mark.parametrize("what", BATCHES)
def test_a_batch_with_another_tenants_event_records_nothing(anybody: Caller, what: str) -> None:
    caller = key(anybody, Role.REPORTER, BOUND)
    admin = anybody.showing({"x-admin-token": anybody.stack.admin_token})
    before = [ask(admin, "GetTenantMetrics", each).body for each in (OWN, OTHER)]
    assert is_forbidden(caller.post(f"{PATHS}/events", {"events": BATCHES[what]()}))
    assert is_forbidden(caller.rpc(f"{SERVICE}/RecordEvents", typed(BATCHES[what]())))
    streamed = [typed(BATCHES[what]()), typed(events(OWN))]
    told = caller.rpc(f"{SERVICE}/StreamEvents", streamed).body
    assert [(each.get("error", {}).get("code"), each.get("recorded")) for each in told] == [
        (7, None),
        (None, "1"),
    ]
    after = [ask(admin, "GetTenantMetrics", each).body for each in (OWN, OTHER)]
    assert after == [{**before[0], **{k: before[0][k] + 1 for k in STARTED}}, before[1]]


STARTED = ("active_calls", "accepted_calls", "started_calls")


def test_an_event_of_another_tenants_call_records_nothing(anybody: Caller) -> None:
    admin = anybody.showing({"x-admin-token": anybody.stack.admin_token})
    (started,) = events(OTHER)
    assert admin.post(f"{PATHS}/events", {"events": [started]}).status == 200
    before = [ask(admin, "GetTenantMetrics", each).body for each in (OWN, OTHER)]
    caller = key(anybody, Role.REPORTER, BOUND)

    def stolen() -> list[dict[str, str]]:
        return [*events(OWN), {**events(OWN)[0], "call_id": started["call_id"]}]

    assert is_forbidden(caller.post(f"{PATHS}/events", {"events": stolen()}))
    assert is_forbidden(caller.rpc(f"{SERVICE}/RecordEvents", typed(stolen())))
    told = answer_of_batch(caller.rpc(f"{SERVICE}/StreamEvents", [typed(stolen())]))
    assert is_forbidden(told)
    assert [ask(admin, "GetTenantMetrics", each).body for each in (OWN, OTHER)] == before
    # Nor once the call has ended, which the lists of calls have forgotten.
    ended = {**started, "event_id": "roles-ended", "type": "ended", "outcome": "completed"}
    assert admin.post(f"{PATHS}/events", {"events": [ended]}).status == 200
    assert is_forbidden(caller.post(f"{PATHS}/events", {"events": stolen()}))
    # Its own tenant's key may go on with it.
    others = anybody.showing(
        bearer(anybody.stack.make_key("the operator", Role.REPORTER, tenant_id=OTHER))
    )
    audio = {**started, "event_id": "roles-referred", "type": "referred"}
    assert others.post(f"{PATHS}/events", {"events": [audio]}).body == {"recorded": 1}


def test_a_watcher_of_a_tenant_is_told_of_that_tenant_alone(anybody: Caller) -> None:
    tenant, beside = "roles_watched", "roles_beside"
    caller = key(anybody, Role.OPERATOR, tenant)
    admin = anybody.showing({"x-admin-token": anybody.stack.admin_token})
    url = f"{anybody.stack.rest_url}{PATHS}/watch"
    query = {"tenant_id": tenant, "max_updates_per_second": "10"}
    with caller.session.get(
        url, params=query, headers=dict(caller.credentials), stream=True, timeout=20
    ) as told:
        lines = (line for line in told.iter_lines() if line)
        assert b'"started_calls":0' in next(lines)
        admin.post(f"{PATHS}/events", {"events": events(beside)})
        admin.post(f"{PATHS}/events", {"events": events(tenant)})
        assert b'"started_calls":1' in next(lines)
    history = caller.get(f"{PATHS}/history", **RANGE, tenant_id=tenant).body["data"]
    assert [bucket["started_calls"] for bucket in history] == [1]
    typed_history = caller.rpc(f"{SERVICE}/GetHistory", {**TYPED_RANGE, "tenant_id": tenant})
    (bucket,) = typed_history.body["buckets"]
    assert bucket["metrics"]["started_calls"] == "1"


def test_a_watch_over_rest_ends_when_its_key_is_revoked(anybody: Caller) -> None:
    made = anybody.stack.make_key("the operator", Role.OPERATOR)
    with anybody.session.get(
        f"{anybody.stack.rest_url}{PATHS}/watch",
        params={"tenant_id": "nobody"},
        headers=bearer(made),
        stream=True,
        timeout=20,
    ) as told:
        lines = told.iter_lines()
        assert next(lines).startswith(b"data: ")
        anybody.stack.revoke_key(made)
        # It ends before it tells again of a tenant of which nothing has changed.
        assert list(filter(None, lines)) == []
    assert anybody.showing(bearer(made)).get(f"{PATHS}/live").status == 401


def _serialized(message: Message) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def test_a_watch_over_grpc_ends_when_its_key_is_revoked(anybody: Caller) -> None:
    made = anybody.stack.make_key("the operator", Role.OPERATOR, tenant_id=OWN)
    method = LIVE["WatchLiveMetrics"]
    call: Any = anybody.channel.unary_stream(
        f"/{method.name}",
        request_serializer=_serialized,
        response_deserializer=method.response_type().FromString,
    )(
        method.request_type()(tenant_id=OWN),
        metadata=tuple(bearer(made).items()),
        timeout=20,
    )
    next(call)
    anybody.stack.revoke_key(made)
    assert call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert call.details() == "Missing or invalid credentials"


@pytest.mark.parametrize(
    ("stream", "role", "request_of"),
    [
        ("vumeter.live_metrics.v1.LiveMetricsService/StreamEvents", Role.REPORTER, "events"),
        ("vumeter.custom_metrics.v1.CustomMetricsService/StreamPoints", Role.MEMBER, "points"),
    ],
)
def test_a_stream_records_no_batch_of_a_key_that_was_revoked_a_second_ago(
    anybody: Caller, stream: str, role: Role, request_of: str
) -> None:
    made = anybody.stack.make_key("the operator", role)

    method = BY_NAME[stream]
    answered = threading.Event()

    def batches() -> Iterator[Message]:
        yield batch()
        assert answered.wait(20)
        anybody.stack.revoke_key(made)
        time.sleep(1)
        yield batch()

    def batch() -> Message:
        batch = typed(events(OWN)) if request_of == "events" else {"points": [{"name": "turns"}]}
        return ParseDict(batch, method.request_type()(), descriptor_pool=POOL)

    call = anybody.channel.stream_stream(
        f"/{stream}",
        request_serializer=_serialized,
        response_deserializer=method.response_type().FromString,
    )(batches(), metadata=tuple(bearer(made).items()), timeout=20)
    assert as_json(next(call)) == {"sequence": "1", "recorded": "1"}
    answered.set()
    with pytest.raises(grpc.RpcError) as refused:
        next(call)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused.value.details() == "Missing or invalid credentials"
