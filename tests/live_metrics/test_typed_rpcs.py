"""The typed service, through Envoy as a gRPC client sees it."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
import requests
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status  # type: ignore[import-untyped]
from tests.live_metrics.conftest import LiveApi

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb

NINE = 1_743_498_000  # 2025-04-01T09:00:00Z
TEN_MINUTES = 600


def event(
    number: str, kind: pb.EventType, tenant_id: str, at: float = 0, **fields: object
) -> pb.CallEvent:
    if "call_id" not in fields and kind < pb.EVENT_TYPE_INSTRUCTIONS_DB_ERROR:
        fields["call_id"] = f"{tenant_id}-call"
    made = pb.CallEvent(event_id=f"{tenant_id}-{number}", type=kind, tenant_id=tenant_id, **fields)  # type: ignore[arg-type]
    made.occur_time.FromMicroseconds(NINE * 1_000_000 + round(at * 1_000_000))
    return made


def refusal(error: grpc.RpcError) -> tuple[grpc.StatusCode, list[str]]:
    """The status of an error and what it says of fields."""
    status = rpc_status.from_call(error)
    bad_request = error_details_pb2.BadRequest()
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            detail.Unpack(bad_request)
    return error.code(), [violation.description for violation in bad_request.field_violations]


def test_rates_and_headroom_are_worked_out_for_a_tenant_with_a_limit(live: LiveApi) -> None:
    tenant = "rates"
    kinds = pb.EventType
    events = [
        *(event(f"s{n}", kinds.EVENT_TYPE_STARTED, tenant, call_id=f"rates-{n}") for n in range(6)),
        *(
            event(
                f"e{n}",
                kinds.EVENT_TYPE_ENDED,
                tenant,
                60,
                call_id=f"rates-{n}",
                outcome=pb.CALL_OUTCOME_FAILED if n == 0 else pb.CALL_OUTCOME_COMPLETED,
            )
            for n in range(4)
        ),
        event(
            "r",
            kinds.EVENT_TYPE_REJECTED,
            tenant,
            call_id="rates-r",
            reason=pb.REJECTION_REASON_CAPACITY,
        ),
        event(
            "r2",
            kinds.EVENT_TYPE_REJECTED,
            tenant,
            call_id="rates-r2",
            reason=pb.REJECTION_REASON_INSTRUCTIONS_MISSING,
        ),
        event("f", kinds.EVENT_TYPE_FALLBACK_INSTRUCTIONS_USED, tenant),
    ]
    request = pb.RecordEventsRequest(events=events)
    assert live.stub.RecordEvents(request, metadata=live.metadata).recorded == 13
    limited = live.stub.SetTenantLimit(
        pb.SetTenantLimitRequest(tenant_id=tenant, max_concurrent_calls=3), metadata=live.metadata
    )
    assert (limited.tenant.max_concurrent_calls, limited.tenant.active_calls) == (3, 2)
    answer = live.stub.GetLiveMetrics(
        pb.GetLiveMetricsRequest(tenant_id=tenant), metadata=live.metadata
    )
    assert answer.metrics == pb.LiveMetrics(
        active_calls=2,
        accepted_calls=6,
        rejected_calls_capacity=1,
        rejected_calls_instructions_missing=1,
        fallback_instructions_used=1,
        started_calls=6,
        ended_calls=4,
        failed_calls=1,
        minutes_processed=4,
        ended_calls_by_outcome=pb.EndedCallsByOutcome(completed=3, failed=1),
    )
    assert answer.rates == pb.LiveRates(
        error_rate=0.25,
        fallback_rate=1 / 6,
        rejection_rate=0.25,
        rejection_rate_capacity=0.125,
        rejection_rate_tenant_not_configured=0,
        rejection_rate_instructions_missing=0.125,
        max_concurrent_calls=3,
        headroom_calls=1,
    )
    live.stub.SetTenantLimit(pb.SetTenantLimitRequest(tenant_id=tenant), metadata=live.metadata)
    answer = live.stub.GetLiveMetrics(
        pb.GetLiveMetricsRequest(tenant_id=tenant), metadata=live.metadata
    )
    assert not answer.rates.HasField("headroom_calls")


def test_a_rate_without_a_denominator_is_absent(live: LiveApi) -> None:
    answer = live.stub.GetLiveMetrics(
        pb.GetLiveMetricsRequest(tenant_id="nobody"), metadata=live.metadata
    )
    nothing = pb.LiveMetrics(ended_calls_by_outcome=pb.EndedCallsByOutcome())
    assert answer == pb.GetLiveMetricsResponse(metrics=nothing, rates=pb.LiveRates())


def test_a_stream_answers_batches_in_order_and_goes_on_after_a_rejected_one(
    live: LiveApi,
) -> None:
    good = [event("1", pb.EVENT_TYPE_STARTED, "stream"), event("2", pb.EVENT_TYPE_ENDED, "stream")]
    good[1].outcome = pb.CALL_OUTCOME_HUNG_UP
    bad = event("3", pb.EVENT_TYPE_AUDIO, "stream")
    reused = event("1", pb.EVENT_TYPE_STARTED, "stream", at=5)

    def requests() -> Iterator[pb.StreamEventsRequest]:
        yield pb.StreamEventsRequest(events=good)
        yield pb.StreamEventsRequest(events=[good[0], bad])
        yield pb.StreamEventsRequest(events=[reused])
        yield pb.StreamEventsRequest(events=good)

    answers = [
        (answer.sequence, answer.recorded, answer.error.code, answer.error.message)
        for answer in live.stub.StreamEvents(requests(), metadata=live.metadata)
    ]
    assert answers == [
        (1, 2, 0, ""),
        (2, 0, 3, "events[1].minutes must be given for audio"),
        (3, 0, 6, "events[0].event_id was used before with other content"),
        (4, 2, 0, ""),
    ]
    assert live.get("/api/v1/metrics/live/stream").json()["ended_calls"] == 1


def test_capacity_lists_calls_with_their_tenants(live: LiveApi) -> None:
    live.stub.RecordEvents(
        pb.RecordEventsRequest(
            events=[
                event("1", pb.EVENT_TYPE_STARTED, "capacity"),
                event("2", pb.EVENT_TYPE_PENDING, "capacity", call_id="capacity-waits"),
            ]
        ),
        metadata=live.metadata,
    )
    answer = live.stub.GetCapacity(pb.GetCapacityRequest(), metadata=live.metadata)
    active = pb.ListedCall(call_id="capacity-call", tenant_id="capacity")
    assert active in answer.active_calls
    assert active in answer.accepted_calls
    assert pb.ListedCall(call_id="capacity-waits", tenant_id="capacity") in answer.pending_calls


def test_history_gives_counters_and_the_exact_peak_of_every_bucket(live: LiveApi) -> None:
    events = [
        event("1", pb.EVENT_TYPE_STARTED, "past", 10, call_id="past-1"),
        event("2", pb.EVENT_TYPE_STARTED, "past", 10.000_001, call_id="past-2"),
        event(
            "3",
            pb.EVENT_TYPE_ENDED,
            "past",
            10.000_002,
            call_id="past-1",
            outcome=pb.CALL_OUTCOME_FAILED,
        ),
    ]
    live.stub.RecordEvents(pb.RecordEventsRequest(events=events), metadata=live.metadata)
    request = pb.GetHistoryRequest(
        tenant_id="past",
        start_time=Timestamp(seconds=NINE),
        end_time=Timestamp(seconds=NINE + TEN_MINUTES),
    )
    answer = live.stub.GetHistory(request, metadata=live.metadata)
    assert list(answer.buckets) == [
        pb.HistoryBucket(
            start_time=Timestamp(seconds=NINE),
            metrics=pb.LiveMetrics(
                active_calls=1,
                accepted_calls=2,
                started_calls=2,
                ended_calls=1,
                failed_calls=1,
                ended_calls_by_outcome=pb.EndedCallsByOutcome(failed=1),
            ),
            peak_active_calls=2,
        ),
        pb.HistoryBucket(
            start_time=Timestamp(seconds=NINE + 300),
            metrics=pb.LiveMetrics(active_calls=1, ended_calls_by_outcome=pb.EndedCallsByOutcome()),
            peak_active_calls=1,
        ),
    ]
    request.step.FromMilliseconds(250_000)
    assert len(live.stub.GetHistory(request, metadata=live.metadata).buckets) == 3


def test_tenants_come_in_pages_with_their_last_event(live: LiveApi) -> None:
    tenants = ["page/1", "page/2 ü", "page/3"]
    live.stub.RecordEvents(
        pb.RecordEventsRequest(
            events=[event("1", pb.EVENT_TYPE_PENDING, tenant, at=7) for tenant in tenants]
        ),
        metadata=live.metadata,
    )
    listed: list[pb.Tenant] = []
    token = ""
    while True:
        page = live.stub.ListTenants(
            pb.ListTenantsRequest(page_size=2, page_token=token), metadata=live.metadata
        )
        assert len(page.tenants) <= 2
        listed += page.tenants
        token = page.next_page_token
        if not token:
            break
    found = [tenant for tenant in listed if tenant.tenant_id in tenants]
    assert [tenant.tenant_id for tenant in found] == tenants
    assert found[0].last_event_occur_time == Timestamp(seconds=NINE + 7)
    assert found[0].HasField("last_event_receive_time")
    assert not found[0].HasField("max_concurrent_calls")


def test_a_batch_without_events_records_0(live: LiveApi) -> None:
    answer = live.stub.RecordEvents(pb.RecordEventsRequest(), metadata=live.metadata)
    assert answer == pb.RecordEventsResponse(recorded=0)
    (streamed,) = live.stub.StreamEvents(iter([pb.StreamEventsRequest()]), metadata=live.metadata)
    assert streamed == pb.StreamEventsResponse(sequence=1, recorded=0)


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
