"""Live metrics for gRPC callers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.api.call import Call
from vumeter_server.api.credentials import ADMIN_TOKEN
from vumeter_server.api.error_table import status_of
from vumeter_server.errors import InvalidArgument, VumeterError
from vumeter_server.live_metrics import query, validation
from vumeter_server.live_metrics.acknowledging import in_steps
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

_TYPES = {int(kind): kind for kind in validation.EVENT_TYPES.values()}
_REASONS = {int(reason): reason for reason in RejectionReason}
_OUTCOMES = {int(outcome): outcome for outcome in CallOutcome}
_MAX_NANOS = 999_999_999


class LiveMetricsService:
    """vumeter.live_metrics.v1.LiveMetricsService."""

    service: ServiceDescriptor = pb.DESCRIPTOR.services_by_name["LiveMetricsService"]
    access = ADMIN_TOKEN
    field_names: Mapping[str, str] = {}

    def __init__(self, queries: query.LiveQueries, ingest: EventIngest) -> None:
        self._queries = queries
        self._ingest = ingest

    async def RecordEvents(
        self, request: pb.RecordEventsRequest, call: Call
    ) -> pb.RecordEventsResponse:
        """Record a batch."""
        events = request.events
        checked = await offload.BATCHES.run(
            lambda: self._ingest.check(_sent_events(events)), size=len(events)
        )
        return pb.RecordEventsResponse(recorded=await self._ingest.record(checked))

    async def StreamEvents(
        self, requests: AsyncIterator[pb.StreamEventsRequest], call: Call
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        """Record batches, acknowledged in steps."""
        answer = pb.StreamEventsResponse()
        async for results in in_steps(
            requests, _size, self._record_each, self._queries.view.closing
        ):
            del answer.refused[:]
            for result in results:
                answer.acknowledged_requests += 1
                if isinstance(result, VumeterError):
                    answer.refused.add(
                        request=answer.acknowledged_requests,
                        status=status_of(result, self.field_names),
                    )
                else:
                    answer.recorded_events += result
            yield answer

    async def _record_each(
        self, requests: Sequence[pb.StreamEventsRequest]
    ) -> list[int | VumeterError]:
        batches = await offload.BATCHES.run(
            lambda: self._ingest.check_each(_sent_events(request.events) for request in requests),
            size=sum(len(request.events) for request in requests),
        )
        return await self._ingest.record_each(batches)

    async def GetLiveMetrics(
        self, request: pb.GetLiveMetricsRequest, call: Call
    ) -> pb.GetLiveMetricsResponse:
        """Answer the counters now."""
        tenant_id = query.one_or_all(request.tenant_id)
        values = self._queries.values(tenant_id)
        return pb.GetLiveMetricsResponse(
            metrics=live_metrics(values), rates=self._rates(values, tenant_id)
        )

    async def GetCapacity(
        self, request: pb.GetCapacityRequest, call: Call
    ) -> pb.GetCapacityResponse:
        """Answer the lists of calls."""
        capacity = self._queries.capacity()
        answer = pb.GetCapacityResponse()
        for calls, listed in (
            (capacity.active, answer.active_calls),
            (capacity.accepted, answer.accepted_calls),
            (capacity.pending, answer.pending_calls),
        ):
            for call_id, tenant_id in calls:
                listed.add(call_id=call_id, tenant_id=tenant_id)
        return answer

    async def WatchLiveMetrics(
        self, request: pb.WatchLiveMetricsRequest, call: Call
    ) -> AsyncIterator[pb.WatchLiveMetricsResponse]:
        """Answer the counters now and whenever they changed."""
        tenant_id = query.one_or_all(request.tenant_id)
        asked = (
            request.max_updates_per_second if request.HasField("max_updates_per_second") else None
        )
        pace = query.updates_per_second(asked)
        async for values in self._queries.watch(tenant_id, pace):
            yield pb.WatchLiveMetricsResponse(
                metrics=live_metrics(values), rates=self._rates(values, tenant_id)
            )

    async def GetHistory(self, request: pb.GetHistoryRequest, call: Call) -> pb.GetHistoryResponse:
        """Answer every bucket of a range."""
        tenant_id = query.one_or_all(request.tenant_id)
        buckets = query.buckets(
            _required_time(request, "start_time"),
            _required_time(request, "end_time"),
            _step_us(request.step) if request.HasField("step") else query.DEFAULT_STEP_US,
            "end_time",
        )
        answer = pb.GetHistoryResponse()
        answer.buckets.extend(map(_bucket, await self._queries.history(tenant_id, buckets)))
        return answer

    async def ListTenants(
        self, request: pb.ListTenantsRequest, call: Call
    ) -> pb.ListTenantsResponse:
        """Answer a page of tenants."""
        size = request.page_size or query.DEFAULT_PAGE
        if not 1 <= size <= query.MAX_PAGE:
            raise InvalidArgument.of("page_size", f"must be from 1 to {query.MAX_PAGE:,}")
        found = await self._queries.tenants(_after(request.page_token), size + 1)
        answer = pb.ListTenantsResponse(tenants=[self._tenant(each) for each in found[:size]])
        if len(found) > size:
            answer.next_page_token = _page_token(found[size - 1].tenant_id)
        return answer

    async def SetTenantLimit(
        self, request: pb.SetTenantLimitRequest, call: Call
    ) -> pb.SetTenantLimitResponse:
        """Set or remove a tenant's limit."""
        limit = request.max_concurrent_calls if request.HasField("max_concurrent_calls") else None
        tenant = await self._queries.set_limit(request.tenant_id, limit)
        return pb.SetTenantLimitResponse(tenant=self._tenant(tenant))

    def _rates(self, values: LiveValues, tenant_id: str | None) -> pb.LiveRates:
        rates = self._queries.rates(values, tenant_id)
        return pb.LiveRates(**{name: getattr(rates, name) for name in rates.__slots__})

    def _tenant(self, tenant: Tenant) -> pb.Tenant:
        return pb.Tenant(
            tenant_id=tenant.tenant_id,
            last_event_occurred_at=_timestamp(tenant.last_occurred_us),
            last_event_received_at=_timestamp(tenant.last_received_us),
            max_concurrent_calls=tenant.max_concurrent_calls,
            active_calls=self._queries.values(tenant.tenant_id).active_calls,
        )


# Watchers of one tenant get the same values: the message is created once for all of them.
@lru_cache(maxsize=1024)
def live_metrics(values: LiveValues) -> pb.LiveMetrics:
    """Return values as a message, which is shared and must not be changed."""
    return pb.LiveMetrics(**query.documented(values))


def _bucket(bucket: Bucket) -> pb.HistoryBucket:
    return pb.HistoryBucket(
        start_time=_timestamp(bucket.start_us),
        metrics=pb.LiveMetrics(**query.documented(LiveValues(bucket.active_calls, bucket.counted))),
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
        kind = _TYPES.get(event.type, validation.UNREADABLE)
    reason: RejectionReason | validation.Unreadable | None = None
    if event.reason:
        reason = _REASONS.get(event.reason, validation.UNREADABLE)
    outcome: CallOutcome | validation.Unreadable | None = None
    if event.outcome:
        outcome = _OUTCOMES.get(event.outcome, validation.UNREADABLE)
    occurred_us: int | validation.Unreadable | None = None
    if event.HasField("occurred_at"):
        occurred_us = _instant(event.occurred_at)
    return validation.SentEvent(
        event_id=event.event_id or None,
        type=kind,
        tenant_id=event.tenant_id or None,
        occurred_us=occurred_us,
        call_id=event.call_id or None,
        reason=reason,
        outcome=outcome,
        minutes=event.minutes if event.HasField("minutes") else None,
    )


def _instant(time: Timestamp) -> int | validation.Unreadable:
    if not 0 <= time.nanos <= _MAX_NANOS:
        return validation.UNREADABLE
    return time.seconds * SECOND_US + time.nanos // 1_000


def _timestamp(us: int | None) -> Timestamp | None:
    if us is None:
        return None
    return Timestamp(seconds=us // SECOND_US, nanos=us % SECOND_US * 1_000)


def _required_time(request: pb.GetHistoryRequest, field: Literal["start_time", "end_time"]) -> int:
    if not request.HasField(field):
        raise InvalidArgument.of(field, "must be given")
    instant = _instant(getattr(request, field))
    # From the year 1 to 9999, as Timestamp itself allows.
    if (
        isinstance(instant, validation.Unreadable)
        or not -62_135_596_800 <= (instant // SECOND_US) < 253_402_300_800
    ):
        raise InvalidArgument.of(field, "must be a valid time")
    return instant


def _step_us(step: Duration) -> int:
    us, below = divmod(step.seconds * 1_000_000_000 + step.nanos, 1_000)
    if us < MILLISECOND_US or us % MILLISECOND_US or below:
        raise InvalidArgument.of("step", "must be a positive number of whole milliseconds")
    return us


def _page_token(tenant_id: str) -> str:
    return base64.urlsafe_b64encode(tenant_id.encode()).decode()


def _after(page_token: str) -> str:
    try:
        return base64.b64decode(page_token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise InvalidArgument.of("page_token", "must be that of an earlier answer") from None
