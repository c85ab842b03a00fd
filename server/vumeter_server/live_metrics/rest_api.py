"""Live metrics at the documented paths, with recording, watching and history beside them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.live_metrics.v1 import live_metrics_rest_pb2 as pb
from vumeter_server.api import json_body
from vumeter_server.api.call import Call
from vumeter_server.api.rest_pages import page_of, parse_after, parse_whole
from vumeter_server.errors import InvalidArgument
from vumeter_server.live_metrics import query, validation
from vumeter_server.live_metrics.history import Bucket
from vumeter_server.live_metrics.ingest import EventIngest
from vumeter_server.live_metrics.live_view import Capacity, LiveValues
from vumeter_server.live_metrics.store import Tenant
from vumeter_server.runtime import offload
from vumeter_server.times.ranges import parse_range
from vumeter_server.times.rfc3339 import format_rfc3339, read_rfc3339
from vumeter_server.times.steps import parse_step

T = TypeVar("T")

BYTES_PER_EVENT = 150
"""About how long an event is in JSON."""

# As many decimals as a double is printed with.
_NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,20})?")


class EventBody(msgspec.Struct, forbid_unknown_fields=True):
    """One event of a recording's body; `validation.check` says what it must be."""

    event_id: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    call_id: str | msgspec.UnsetType = msgspec.UNSET
    tenant_id: str | msgspec.UnsetType = msgspec.UNSET
    occurred_at: str | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET
    outcome: str | msgspec.UnsetType = msgspec.UNSET
    minutes: float | msgspec.UnsetType = msgspec.UNSET
    sequence: int | msgspec.UnsetType = msgspec.UNSET


class EventsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a recording."""

    events: list[EventBody]


class LiveMetricsRestService:
    """vumeter.live_metrics.v1.LiveMetricsRestService."""

    service: ServiceDescriptor = pb.DESCRIPTOR.services_by_name["LiveMetricsRestService"]
    field_names: Mapping[str, str] = {"start_date": "startDate", "end_date": "endDate"}

    def __init__(self, queries: query.LiveQueries, ingest: EventIngest) -> None:
        self._queries = queries
        self._ingest = ingest

    async def GetGlobalMetrics(
        self, request: pb.GetGlobalMetricsRequest, call: Call
    ) -> pb.LiveCounters:
        """Answer the counters of all tenants."""
        await self._queries.catch_up()
        return live_counters(self._queries.values(None))

    async def GetTenantMetrics(
        self, request: pb.GetTenantMetricsRequest, call: Call
    ) -> pb.LiveCounters:
        """Answer the counters of one tenant."""
        tenant_id = query.one_or_all(request.tenant_id, call.only_tenant)
        await self._queries.catch_up()
        return live_counters(self._queries.values(tenant_id))

    async def GetCapacityDebug(
        self, request: pb.GetCapacityDebugRequest, call: Call
    ) -> pb.GetCapacityDebugResponse:
        """Answer the lists of calls."""
        await self._queries.catch_up()
        return _capacity_debug(self._queries.capacity())

    async def GetTenants(self, request: pb.GetTenantsRequest, call: Call) -> HttpBody:
        """Answer a page of tenants."""
        limit = parse_whole(
            request.limit, "limit", default=query.DEFAULT_PAGE, least=1, most=query.MAX_PAGE
        )
        # One more than the page holds says whether there is a next one.
        after = parse_after(request.after, most=validation.MAX_ID)
        found = await self._queries.tenants(after, limit + 1)
        shown, last = page_of(found, limit, lambda each: each.tenant_id)
        answer = {"data": [self._tenant(each) for each in shown], "next": last}
        return json_body.http_body(orjson.dumps(answer))

    async def PostEvents(self, request: pb.PostEventsRequest, call: Call) -> pb.PostEventsResponse:
        """Record a batch."""
        body = request.body
        # How many events it holds is known once it is parsed; its bytes say about how many.
        size = len(body.data) // BYTES_PER_EVENT
        only_tenant = call.only_tenant
        checked = await offload.PARSING.run(
            lambda: self._ingest.check(_parse(body), only_tenant), size=size
        )
        return pb.PostEventsResponse(recorded=await self._ingest.record(checked, only_tenant))

    async def WatchMetrics(
        self, request: pb.WatchMetricsRequest, call: Call
    ) -> AsyncIterator[pb.LiveCounters]:
        """Answer the counters now and whenever they changed."""
        tenant_id = query.given_one_or_all(request.tenant_id, call.only_tenant)
        pace = query.updates_per_second(_number(request.max_updates_per_second))
        await self._queries.catch_up()
        async for values in self._queries.watch(tenant_id, pace):
            yield live_counters(values)

    async def GetMetricsHistory(
        self, request: pb.GetMetricsHistoryRequest, call: Call
    ) -> pb.GetMetricsHistoryResponse:
        """Answer every bucket of a range."""
        tenant_id = query.given_one_or_all(request.tenant_id, call.only_tenant)
        asked = parse_range(request.start_date, request.end_date, request.timezone)
        step_us = parse_step(request.step, default=query.DEFAULT_STEP)
        buckets = query.buckets(asked.start_us, asked.end_us, step_us, "end_date")
        found = await self._queries.history(tenant_id, buckets)
        return pb.GetMetricsHistoryResponse(data=map(_bucket, found))

    def _tenant(self, tenant: Tenant) -> dict[str, Any]:
        last_us, waiting = tenant.last_occurred_us, self._queries.waiting(tenant.tenant_id)
        return {
            "tenant_id": tenant.tenant_id,
            "active_calls": self._queries.values(tenant.tenant_id).active_calls,
            "pending_calls": waiting.pending,
            "unstarted_calls": waiting.unstarted,
            "max_concurrent_calls": tenant.max_concurrent_calls,
            "last_event_at": None if last_us is None else format_rfc3339(last_us),
        }


# Watchers of one tenant get the same values: the message is created once for all of them.
@lru_cache(maxsize=1024)
def live_counters(values: LiveValues) -> pb.LiveCounters:
    """Return values as a message, which is shared and must not be changed."""
    return pb.LiveCounters(**query.documented(values))


def _bucket(bucket: Bucket) -> pb.GetMetricsHistoryResponse.Bucket:
    return pb.GetMetricsHistoryResponse.Bucket(
        start=format_rfc3339(bucket.start_us),
        peak_active_calls=bucket.peak_active_calls,
        **query.documented(LiveValues(bucket.active_calls, bucket.counted)),
    )


# Ten thousand calls are a large message; it is created again only when a list changed.
@lru_cache(maxsize=1)
def _capacity_debug(capacity: Capacity) -> pb.GetCapacityDebugResponse:
    answer = pb.GetCapacityDebugResponse(
        active_count=len(capacity.active),
        accepted_count=len(capacity.accepted),
        accepted_call_ids=[call_id for call_id, _ in capacity.accepted],
        pending_count=len(capacity.pending),
        pending_call_ids=[call_id for call_id, _ in capacity.pending],
        pending_tenant_by_call_id_count=len(capacity.pending),
        pending_tenant_by_call_id=dict(capacity.pending),
    )
    for call_id, _ in capacity.active:
        answer.active_calls.add(call_id=call_id, status="RUNNING")
    for call_id, tenant_id in capacity.pending:
        answer.pending_by_tenant_count[tenant_id] += 1
        answer.pending_by_tenant[tenant_id].values.add(string_value=call_id)
    return answer


def _parse(body: HttpBody) -> list[validation.SentEvent]:
    return [_sent_event(event) for event in json_body.decode(body, EventsBody).events]


def _sent_event(event: EventBody) -> validation.SentEvent:
    occurred_at = event.occurred_at or None
    occurred_us: int | validation.Unreadable | None = None
    if occurred_at is not None:
        known = read_rfc3339(occurred_at)
        occurred_us = validation.UNREADABLE if known is None else known
    return validation.SentEvent(
        event_id=event.event_id or None,
        type=_member(event.type, validation.EVENT_TYPES),
        tenant_id=event.tenant_id or None,
        occurred_us=occurred_us,
        call_id=event.call_id or None,
        reason=_member(event.reason, validation.REASONS),
        outcome=_member(event.outcome, validation.OUTCOMES),
        minutes=None if event.minutes is msgspec.UNSET else event.minutes,
        sequence=None if event.sequence is msgspec.UNSET else event.sequence,
    )


def _member(
    text: str | msgspec.UnsetType, known: Mapping[str, T]
) -> T | validation.Unreadable | None:
    return known.get(text, validation.UNREADABLE) if isinstance(text, str) and text else None


def _number(text: str) -> float | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise InvalidArgument.of("max_updates_per_second", "must be a number from 0.1 to 10")
    return float(text)
