"""Custom metrics on their documented paths: parse the text, call the core, write the JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.custom_metrics.v1 import custom_metrics_rest_pb2 as pb
from vumeter_server.api import json_body
from vumeter_server.api.call import Call
from vumeter_server.custom_metrics.deletion import Deletion
from vumeter_server.custom_metrics.ingest import Recording
from vumeter_server.custom_metrics.labels import (
    label_filter,
    parse_group_by,
    parse_metric_names,
    parse_tags,
)
from vumeter_server.custom_metrics.query import Queries, SumRequest, TimeseriesRequest
from vumeter_server.custom_metrics.query_body import (
    QUERY_FIELD_NAMES,
    DeleteBody,
    QueryBody,
    delete_request,
    query_request,
)
from vumeter_server.custom_metrics.query_rendering import render_query, render_query_csv
from vumeter_server.custom_metrics.record_body import RecordBody, points_of
from vumeter_server.custom_metrics.rendering import (
    render_aggregate,
    render_daily,
    render_metrics,
    render_session,
    render_tags,
    render_timeseries,
)
from vumeter_server.custom_metrics.usage import Usage, parse_limit
from vumeter_server.custom_metrics.usage_rendering import render_usage
from vumeter_server.custom_metrics.validation import check_idempotency_key
from vumeter_server.errors import InvalidArgument
from vumeter_server.runtime.offload import PARSING, RENDERING
from vumeter_server.times.ranges import parse_range
from vumeter_server.times.steps import parse_step
from vumeter_server.times.zones import find_zone

UNSET = msgspec.UNSET
# The size of a point with some labels in a body.
BYTES_PER_POINT = 200
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomMetricsRestService:
    """Serves vumeter.custom_metrics.v1.CustomMetricsRestService."""

    queries: Queries
    recording: Recording
    deletion: Deletion
    usage: Usage

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["CustomMetricsRestService"]

    @property
    def field_names(self) -> Mapping[str, str]:
        """The documented spelling of fields."""
        return FIELD_NAMES

    async def Record(self, request: pb.RecordRequest, call: Call) -> pb.RecordResponse:
        """Record points, all of them or none."""
        with self.recording.rejections.counted(call.caller) as attempt:
            body = await PARSING.run(
                lambda: json_body.decode(request.body, RecordBody),
                size=len(request.body.data) // BYTES_PER_POINT,
            )
            attempt.points = len(body.points)
            idempotency_key = check_idempotency_key(body.idempotency_key or None)
            checked = await PARSING.run(
                lambda: self.recording.check(points_of(body.points), idempotency_key),
                size=attempt.points,
            )
            recorded = await self.recording.record(
                call.caller, checked, dry_run=body.dry_run is True
            )
        return pb.RecordResponse(data=pb.RecordResponse.Data(recorded=recorded))

    async def GetNames(self, request: pb.GetNamesRequest, call: Call) -> pb.GetNamesResponse:
        """List metric names."""
        names = await self.queries.names(call.organization_id, request.agent_id)
        return pb.GetNamesResponse(data=names)

    async def GetMetrics(self, request: pb.GetMetricsRequest, call: Call) -> HttpBody:
        """List metrics with what is known of them."""
        return _json(render_metrics(await self.queries.metrics(call.organization_id)))

    async def GetAggregate(self, request: pb.GetAggregateRequest, call: Call) -> HttpBody:
        """Sum metrics over a range."""
        rows = await self.queries.aggregate(call.organization_id, _sum_request(request))
        return _json(await RENDERING.run(lambda: render_aggregate(rows), size=rows.sums.size))

    async def GetDaily(self, request: pb.GetDailyRequest, call: Call) -> HttpBody:
        """Sum metrics by calendar day."""
        rows = await self.queries.daily(
            call.organization_id,
            _sum_request(request),
            find_zone(request.timezone),
            fill_zero=_fill_zero(request.fill),
        )
        return _json(await RENDERING.run(lambda: render_daily(rows), size=rows.sums.size))

    async def GetTimeseries(self, request: pb.GetTimeseriesRequest, call: Call) -> HttpBody:
        """Read one metric over time."""
        if not request.metric_name:
            raise InvalidArgument.of("metric_name", "must be a string")
        asked = TimeseriesRequest(
            time_range=parse_range(request.start_date, request.end_date, request.timezone),
            metric_name=request.metric_name,
            step_us=parse_step(request.step, default="1h"),
            filters=_filters(request),
            fill_zero=_fill_zero(request.fill),
        )
        found = await self.queries.timeseries(call.organization_id, asked)
        start_us, step_us = asked.time_range.start_us, asked.step_us
        return _json(
            await RENDERING.run(
                lambda: render_timeseries(request.metric_name, start_us, step_us, found),
                size=len(found.values),
            )
        )

    async def Query(self, request: pb.QueryRequest, call: Call) -> HttpBody:
        """Ask anything of metrics; JSON, or CSV for a caller that accepts it."""
        asked = query_request(json_body.decode(request.body, QueryBody))
        rows = await self.queries.query_metrics(call.organization_id, asked)
        if "text/csv" in str(call.metadata.get("accept", "")).lower():
            data = await RENDERING.run(
                lambda: render_query_csv(rows, asked.zone), size=rows.values.size
            )
            return HttpBody(content_type="text/csv; charset=utf-8; header=present", data=data)
        return _json(
            await RENDERING.run(lambda: render_query(rows, asked.zone), size=rows.values.size)
        )

    async def Delete(self, request: pb.DeleteRequest, call: Call) -> pb.DeleteResponse:
        """Delete points, all of them or none."""
        asked = delete_request(json_body.decode(request.body, DeleteBody))
        deleted = await self.deletion.delete(call.organization_id, asked)
        return pb.DeleteResponse(data=pb.DeleteResponse.Data(deleted=deleted))

    async def GetTags(self, request: pb.GetTagsRequest, call: Call) -> HttpBody:
        """List tag keys with their values."""
        tags = await self.queries.tags(call.organization_id, request.metric_name, request.agent_id)
        return _json(render_tags(tags))

    async def QueryUsage(self, request: pb.QueryUsageRequest, call: Call) -> HttpBody:
        """Report how much is stored, and how near the limits that is."""
        report = await self.usage.report(call.caller, parse_limit(request.limit))
        return _json(render_usage(report))

    async def GetSession(self, request: pb.GetSessionRequest, call: Call) -> HttpBody:
        """Read all metrics of one session."""
        metrics = await self.queries.session(call.organization_id, request.session_id)
        return _json(await RENDERING.run(lambda: render_session(metrics), size=len(metrics)))


FIELD_NAMES: Mapping[str, str] = {
    **{
        field.name: field.json_name
        for message in pb.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
    },
    **{"environment_id": "environmentId", "idempotency_key": "idempotencyKey"},
    **{"dry_run": "dryRun", "bucket_counts": "bucketCounts", "zero_count": "zeroCount"},
    **QUERY_FIELD_NAMES,
}


def _sum_request(request: pb.GetAggregateRequest | pb.GetDailyRequest) -> SumRequest:
    return SumRequest(
        time_range=parse_range(request.start_date, request.end_date, request.timezone),
        filters=_filters(request),
        metric_names=parse_metric_names(request.metric_names),
        group_by=parse_group_by(request.group_by),
    )


def _filters(
    request: pb.GetAggregateRequest | pb.GetDailyRequest | pb.GetTimeseriesRequest,
) -> tuple[tuple[str, str], ...]:
    return label_filter(
        parse_tags(request.tags),
        agent_id=request.agent_id,
        environment_id=request.environment_id,
    )


def _fill_zero(text: str) -> bool:
    if text not in ("", "zero"):
        raise InvalidArgument.of("fill", "must be zero or absent")
    return text == "zero"


def _json(data: bytes) -> HttpBody:
    return json_body.http_body(data)
