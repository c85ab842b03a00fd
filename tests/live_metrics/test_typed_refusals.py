"""What the typed service and the paths refuse: bad fields, and callers without the token."""

from __future__ import annotations

import grpc
import pytest
import requests
from google.protobuf.timestamp_pb2 import Timestamp
from tests.live_metrics.conftest import LiveApi
from tests.live_metrics.typed_asking import event, refusal

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb

REFUSED = {
    "too many events": (
        "RecordEvents",
        pb.RecordEventsRequest(events=[event("1", pb.EVENT_TYPE_STARTED, "many")] * 10_001),
        ["events must hold at most 10,000 events"],
    ),
    "nothing given": (
        "RecordEvents",
        pb.RecordEventsRequest(events=[pb.CallEvent()]),
        [
            "events[0].type must be given",
            "events[0].event_id must be given",
            "events[0].tenant_id must be given",
            "events[0].occur_time must be given",
        ],
    ),
    "infinite minutes": (
        "RecordEvents",
        pb.RecordEventsRequest(
            events=[event("1", pb.EVENT_TYPE_AUDIO, "bad", minutes=float("inf"))]
        ),
        ["events[0].minutes must be a finite number"],
    ),
    "no number of minutes": (
        "RecordEvents",
        pb.RecordEventsRequest(
            events=[event("1", pb.EVENT_TYPE_AUDIO, "bad", minutes=float("nan"))]
        ),
        ["events[0].minutes must be a finite number"],
    ),
    "an unknown type": (
        "RecordEvents",
        pb.RecordEventsRequest(events=[event("1", 77, "bad")]),  # type: ignore[arg-type]
        [
            "events[0].type must be one of pending, accepted, rejected, started, audio, referred,"
            " ended, instructions_db_error, fallback_instructions_used"
        ],
    ),
    "an outcome that nobody may report": (
        "RecordEvents",
        pb.RecordEventsRequest(
            events=[event("1", pb.EVENT_TYPE_ENDED, "bad", outcome=pb.CALL_OUTCOME_TIMED_OUT)]
        ),
        [
            "events[0].outcome must be one of completed, hung_up, failed, no_answer, busy,"
            " canceled, voicemail"
        ],
    ),
    "no outcome": (
        "RecordEvents",
        pb.RecordEventsRequest(events=[event("1", pb.EVENT_TYPE_ENDED, "bad")]),
        ["events[0].outcome must be given for ended"],
    ),
    "a negative sequence": (
        "RecordEvents",
        pb.RecordEventsRequest(events=[event("1", pb.EVENT_TYPE_STARTED, "bad", sequence=-1)]),
        ["events[0].sequence must be a whole number from 0 to 9,223,372,036,854,775,807"],
    ),
    "a control character": (
        "RecordEvents",
        pb.RecordEventsRequest(events=[event("1", pb.EVENT_TYPE_STARTED, "bad", call_id="a\0b")]),
        ["events[0].call_id must not hold control characters"],
    ),
    "a tenant id that is too long": (
        "GetLiveMetrics",
        pb.GetLiveMetricsRequest(tenant_id="t" * 257),
        ["tenant_id must be at most 256 characters"],
    ),
    "no range": ("GetHistory", pb.GetHistoryRequest(), ["start_time must be given"]),
    "a range that ends before it starts": (
        "GetHistory",
        pb.GetHistoryRequest(start_time=Timestamp(seconds=2), end_time=Timestamp(seconds=1)),
        ["end_time must not be before the start of the range"],
    ),
    "too many buckets": (
        "GetHistory",
        pb.GetHistoryRequest(start_time=Timestamp(seconds=1), end_time=Timestamp(seconds=10**7)),
        ["step must be longer: the range holds more than 11,000 buckets"],
    ),
    "a page that is too large": (
        "ListTenants",
        pb.ListTenantsRequest(page_size=1_001),
        ["page_size must be from 1 to 1,000"],
    ),
    "a page token of our own making": (
        "ListTenants",
        pb.ListTenantsRequest(page_token="page 2"),
        ["page_token must be the next_page_token of an answer to the same request"],
    ),
    "a limit for nobody": (
        "SetTenantLimit",
        pb.SetTenantLimitRequest(max_concurrent_calls=5),
        ["tenant_id must be given"],
    ),
    "a limit that is too large": (
        "SetTenantLimit",
        pb.SetTenantLimitRequest(tenant_id="bad", max_concurrent_calls=1_000_001),
        ["max_concurrent_calls must be at most 1,000,000"],
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_named(what: str, live: LiveApi) -> None:
    method, request, problems = REFUSED[what]
    with pytest.raises(grpc.RpcError) as raised:
        getattr(live.stub, method)(request, metadata=live.metadata)
    assert refusal(raised.value) == (grpc.StatusCode.INVALID_ARGUMENT, problems)


def test_a_watch_refuses_a_pace_out_of_range(live: LiveApi) -> None:
    request = pb.WatchLiveMetricsRequest(max_updates_per_second=float("nan"))
    with pytest.raises(grpc.RpcError) as raised:
        next(live.stub.WatchLiveMetrics(request, metadata=live.metadata))
    assert refusal(raised.value)[1] == ["max_updates_per_second must be a number from 0.1 to 10"]


METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["LiveMetricsService"].methods]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("token", [None, "", "token-of-the-tests-0123456789abcdeX"])
def test_no_method_answers_without_the_token(method: str, token: str | None, live: LiveApi) -> None:
    metadata = () if token is None else (("x-admin-token", token),)
    descriptor = pb.DESCRIPTOR.services_by_name["LiveMetricsService"].methods_by_name[method]
    request = getattr(pb, descriptor.input_type.name)()
    sent = iter([request]) if descriptor.client_streaming else request

    def ask() -> None:
        answer = getattr(live.stub, method)(sent, metadata=metadata)
        next(iter(answer))

    with pytest.raises(grpc.RpcError) as raised:
        ask()
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert raised.value.details() == "Missing or invalid credentials"


@pytest.mark.parametrize(
    "path", ["live", "live/clinic", "capacity/debug", "watch", "history?startDate=never"]
)
@pytest.mark.parametrize("token", [None, "wrong"])
def test_no_path_answers_without_the_token(path: str, token: str | None, live: LiveApi) -> None:
    headers = {} if token is None else {"X-Admin-Token": token}
    answer = requests.get(
        f"{live.stack.rest_url}/api/v1/metrics/{path}", headers=headers, timeout=20
    )
    assert answer.status_code == 401
    assert answer.json() == {"code": 16, "message": "Missing or invalid credentials", "details": []}
