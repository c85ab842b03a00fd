"""Live metrics for gRPC callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Literal

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.api.call import Call
from vumeter_server.api.page_tokens import asked_page, resume_token
from vumeter_server.api.streams import answers_of_steps
from vumeter_server.api.times import instant_us, timestamp
from vumeter_server.errors import InvalidArgument, VumeterError
from vumeter_server.live_metrics import query, validation
from vumeter_server.live_metrics.acknowledging import in_steps
from vumeter_server.live_metrics.grpc_messages import (
    OUTCOMES,
    REASONS,
    TYPES,
    read_export,
    write_events,
)
from vumeter_server.live_metrics.grpc_pages import capacity_message, page_of_capacity
from vumeter_server.live_metrics.history import Bucket
from vumeter_server.live_metrics.ingest import EventIngest
from vumeter_server.live_metrics.live_view import LiveValues
from vumeter_server.live_metrics.model import (
    CallOutcome,
    EventType,
    RejectionReason,
)
from vumeter_server.live_metrics.store import Tenant
from vumeter_server.runtime import offload
from vumeter_server.times.units import MILLISECOND_US, SECOND_US

EXPORT_TAKEN_WITHIN_SECONDS = 600.0
_MAX_NANOS = 999_999_999


class LiveMetricsService:
    """vumeter.live_metrics.v1.LiveMetricsService."""

    service: ServiceDescriptor = pb.DESCRIPTOR.services_by_name["LiveMetricsService"]
    # Where a message spells a field otherwise than the documented JSON, and so the core, does.
    field_names: Mapping[str, str] = {"occurred_at": "occur_time"}

    def __init__(self, queries: query.LiveQueries, ingest: EventIngest) -> None:
        self._queries = queries
        self._ingest = ingest

    async def RecordEvents(
        self, request: pb.RecordEventsRequest, call: Call
    ) -> pb.RecordEventsResponse:
        """Record a batch."""
        events, only_tenant = request.events, call.only_tenant
        checked = await offload.PARSING.run(
            lambda: self._ingest.check(_sent_events(events), only_tenant), size=len(events)
        )
        return pb.RecordEventsResponse(recorded=await self._ingest.record(checked, only_tenant))

    async def StreamEvents(
        self, requests: AsyncIterator[pb.StreamEventsRequest], call: Call
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        """Record batch after batch, and answer each once it is on disk."""
        record = partial(self._record_each, call.only_tenant)
        steps = in_steps(requests, _size, record, self._queries.view.closing)
        async for sequence, recorded, error in answers_of_steps(steps, self.field_names):
            yield pb.StreamEventsResponse(sequence=sequence, recorded=recorded, error=error)

    async def _record_each(
        self, only_tenant: str | None, requests: Sequence[pb.StreamEventsRequest]
    ) -> list[int | VumeterError]:
        batches = await offload.PARSING.run(
            lambda: self._ingest.check_each(
                (_sent_events(request.events) for request in requests), only_tenant
            ),
            size=sum(len(request.events) for request in requests),
        )
        return await self._ingest.record_each(batches, only_tenant)

    async def GetLiveMetrics(
        self, request: pb.GetLiveMetricsRequest, call: Call
    ) -> pb.GetLiveMetricsResponse:
        """Answer the counters now."""
        tenant_id = query.one_or_all(request.tenant_id, call.only_tenant)
        await self._queries.catch_up()
        values = self._queries.values(tenant_id)
        return pb.GetLiveMetricsResponse(
            metrics=live_metrics(values), rates=self._rates(values, tenant_id)
        )

    async def GetCapacity(
        self, request: pb.GetCapacityRequest, call: Call
    ) -> pb.GetCapacityResponse:
        """Answer the lists of calls."""
        page = page_of_capacity(request)
        await self._queries.catch_up()
        return capacity_message(self._queries.capacity(), page)

    async def WatchLiveMetrics(
        self, request: pb.WatchLiveMetricsRequest, call: Call
    ) -> AsyncIterator[pb.WatchLiveMetricsResponse]:
        """Answer the counters now and whenever they changed."""
        tenant_id = query.given_one_or_all(request.tenant_id, call.only_tenant)
        asked = (
            request.max_updates_per_second if request.HasField("max_updates_per_second") else None
        )
        pace = query.updates_per_second(asked)
        await self._queries.catch_up()
        async for values in self._queries.watch(tenant_id, pace):
            yield pb.WatchLiveMetricsResponse(
                metrics=live_metrics(values), rates=self._rates(values, tenant_id)
            )

    async def GetHistory(self, request: pb.GetHistoryRequest, call: Call) -> pb.GetHistoryResponse:
        """Answer every bucket of a range."""
        tenant_id = query.given_one_or_all(request.tenant_id, call.only_tenant)
        buckets = query.buckets(
            _required_time(request, "start_time"),
            _required_time(request, "end_time"),
            _step_us(request.step) if request.HasField("step") else query.DEFAULT_STEP_US,
            "end_time",
        )
        answer = pb.GetHistoryResponse()
        answer.buckets.extend(map(_bucket, await self._queries.history(tenant_id, buckets)))
        return answer

    async def ExportEvents(
        self, request: pb.ExportEventsRequest, call: Call
    ) -> AsyncIterator[pb.ExportEventsResponse]:
        """Stream events as they were reported."""
        token = resume_token(request, (int, int))
        tenant_id = query.given_one_or_all(request.tenant_id, call.only_tenant)
        call.taken_within_seconds = EXPORT_TAKEN_WITHIN_SECONDS
        asked = read_export(request, token, tenant_id)
        async for page in self._queries.events(call.actor, asked):
            if page.events:
                yield write_events(page, token)

    async def ListTenants(
        self, request: pb.ListTenantsRequest, call: Call
    ) -> pb.ListTenantsResponse:
        """Answer a page of tenants."""
        page = asked_page(request, (str,), default=query.DEFAULT_PAGE, most=query.MAX_PAGE)
        size = page.size or query.DEFAULT_PAGE
        # One more than the page holds says whether there is a next one.
        found = await self._queries.tenants(page.after[0] if page.after else "", size + 1)
        answer = pb.ListTenantsResponse(tenants=[self._tenant(each) for each in found[:size]])
        if len(found) > size:
            answer.next_page_token = page.next_token(found[size - 1].tenant_id)
        return answer

    async def SetTenantLimit(
        self, request: pb.SetTenantLimitRequest, call: Call
    ) -> pb.SetTenantLimitResponse:
        """Set or remove a tenant's limit."""
        limit = request.max_concurrent_calls if request.HasField("max_concurrent_calls") else None
        tenant = await self._queries.set_limit(call.actor, request.tenant_id, limit)
        return pb.SetTenantLimitResponse(tenant=self._tenant(tenant))

    def _rates(self, values: LiveValues, tenant_id: str | None) -> pb.LiveRates:
        rates = self._queries.rates(values, tenant_id)
        return pb.LiveRates(**{name: getattr(rates, name) for name in rates.__slots__})

    def _tenant(self, tenant: Tenant) -> pb.Tenant:
        waiting = self._queries.waiting(tenant.tenant_id)
        return pb.Tenant(
            tenant_id=tenant.tenant_id,
            last_event_occur_time=timestamp(tenant.last_occurred_us),
            last_event_receive_time=timestamp(tenant.last_received_us),
            max_concurrent_calls=tenant.max_concurrent_calls,
            active_calls=self._queries.values(tenant.tenant_id).active_calls,
            pending_calls=waiting.pending,
            unstarted_calls=waiting.unstarted,
        )


# Watchers of one tenant get the same values: the message is created once for all of them.
@lru_cache(maxsize=1024)
def live_metrics(values: LiveValues) -> pb.LiveMetrics:
    """Return values as a message, which is shared and must not be changed."""
    return _live_metrics(values)


def _live_metrics(values: LiveValues) -> pb.LiveMetrics:
    by_outcome = query.ended_by_outcome(values.totals)
    return pb.LiveMetrics(
        **query.documented(values),
        ended_calls_by_outcome=pb.EndedCallsByOutcome(
            **{outcome.name.lower(): number for outcome, number in by_outcome.items()}
        ),
    )


def _bucket(bucket: Bucket) -> pb.HistoryBucket:
    return pb.HistoryBucket(
        start_time=timestamp(bucket.start_us),
        metrics=_live_metrics(LiveValues(bucket.active_calls, bucket.counted)),
        peak_active_calls=bucket.peak_active_calls,
    )


def _size(request: pb.StreamEventsRequest) -> int:
    # A request without events takes room too.
    return max(1, len(request.events))


def _sent_events(events: Iterable[pb.CallEvent]) -> list[validation.SentEvent]:
    return [sent_event(event) for event in events]


def sent_event(event: pb.CallEvent) -> validation.SentEvent:
    """Return a message as what was sent, to be checked."""
    kind: EventType | validation.Unreadable | None = None
    if event.type:
        kind = TYPES.get(event.type, validation.UNREADABLE)
    reason: RejectionReason | validation.Unreadable | None = None
    if event.reason:
        reason = REASONS.get(event.reason, validation.UNREADABLE)
    outcome: CallOutcome | validation.Unreadable | None = None
    if event.outcome:
        outcome = OUTCOMES.get(event.outcome, validation.UNREADABLE)
    occurred_us: int | validation.Unreadable | None = None
    if event.HasField("occur_time"):
        occurred_us = _instant(event.occur_time)
    return validation.SentEvent(
        event_id=event.event_id or None,
        type=kind,
        tenant_id=event.tenant_id or None,
        occurred_us=occurred_us,
        call_id=event.call_id or None,
        reason=reason,
        outcome=outcome,
        minutes=event.minutes if event.HasField("minutes") else None,
        sequence=event.sequence if event.HasField("sequence") else None,
    )


def _instant(time: Timestamp) -> int | validation.Unreadable:
    if not 0 <= time.nanos <= _MAX_NANOS:
        return validation.UNREADABLE
    return time.seconds * SECOND_US + time.nanos // 1_000


def _required_time(request: pb.GetHistoryRequest, field: Literal["start_time", "end_time"]) -> int:
    if not request.HasField(field):
        raise InvalidArgument.of(field, "must be given")
    return instant_us(getattr(request, field), field)


def _step_us(step: Duration) -> int:
    us, below = divmod(step.seconds * 1_000_000_000 + step.nanos, 1_000)
    if us < MILLISECOND_US or us % MILLISECOND_US or below:
        raise InvalidArgument.of("step", "must be a positive number of whole milliseconds")
    return us
