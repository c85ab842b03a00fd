"""The typed service, through Envoy as a gRPC client sees it."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp
from tests.live_metrics.conftest import LiveApi
from tests.live_metrics.typed_asking import NINE, TEN_MINUTES, event

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb


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
