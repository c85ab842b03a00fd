"""Custom metrics for gRPC callers: check, call the core, convert."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from google.type import date_pb2

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import deletion_pb2, query_pb2
from vumeter_server.api.call import Call
from vumeter_server.api.page_tokens import asked_page, resume_token
from vumeter_server.api.streams import answer_in_order
from vumeter_server.api.times import duration_us
from vumeter_server.custom_metrics import wire
from vumeter_server.custom_metrics.deletion import Deletion
from vumeter_server.custom_metrics.export import Export
from vumeter_server.custom_metrics.grpc_messages import (
    TYPES,
    PieceWriter,
    read_export,
    timeseries_buckets,
    write_session_metric,
)
from vumeter_server.custom_metrics.grpc_pages import (
    MAX_ENTRIES,
    list_metrics,
    list_tags,
    page_of_aggregate,
    page_of_daily,
    position_of_session_metric,
    rows_of_aggregate,
    rows_of_daily,
)
from vumeter_server.custom_metrics.grpc_query import (
    QUERY_FIELD_NAMES,
    filters_of,
    range_of,
    read_deletion,
    read_query,
    sum_request,
    write_rows,
)
from vumeter_server.custom_metrics.grpc_usage import write_usage
from vumeter_server.custom_metrics.ingest import Recording
from vumeter_server.custom_metrics.query import Queries, Rows, TimeseriesRequest
from vumeter_server.custom_metrics.usage import Usage
from vumeter_server.custom_metrics.validation import check_idempotency_key
from vumeter_server.errors import InvalidArgument
from vumeter_server.runtime.offload import PARSING, RENDERING
from vumeter_server.times.units import HOUR_US
from vumeter_server.times.zones import find_zone

RECORDINGS = ("RecordPoints", "StreamPoints", "RecordColumns", "StreamColumns")
MAX_BATCHES_IN_FLIGHT = 64
EXPORT_TAKEN_WITHIN_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomMetricsService:
    """Serves vumeter.custom_metrics.v1.CustomMetricsService."""

    queries: Queries
    recording: Recording
    deletion: Deletion
    usage: Usage

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["CustomMetricsService"]

    @property
    def request_types(self) -> Mapping[str, type[Message]]:
        """Batches are read with their labels as bytes."""
        return {name: wire.REQUEST_TYPES[name] for name in RECORDINGS}

    @property
    def field_names(self) -> Mapping[str, str]:
        """Where a message spells a field otherwise than the core."""
        return FIELD_NAMES

    async def RecordPoints(self, request: Any, call: Call) -> pb.RecordPointsResponse:
        """Record points, all of them or none."""
        recorded = await self._record(request, call, dry_run=request.dry_run)
        return pb.RecordPointsResponse(recorded=recorded)

    async def StreamPoints(
        self, requests: AsyncIterator[Any], call: Call
    ) -> AsyncIterator[pb.StreamPointsResponse]:
        """Record batch after batch, and answer each once it is on disk."""
        async for sequence, recorded, error in self._record_each(requests, call):
            yield pb.StreamPointsResponse(sequence=sequence, recorded=recorded, error=error)

    async def RecordColumns(self, request: Any, call: Call) -> pb.RecordColumnsResponse:
        """Record points given as columns, all of them or none."""
        recorded = await self._record(request, call, dry_run=request.dry_run)
        return pb.RecordColumnsResponse(recorded=recorded)

    async def StreamColumns(
        self, requests: AsyncIterator[Any], call: Call
    ) -> AsyncIterator[pb.StreamColumnsResponse]:
        """Record batch after batch of columns, and answer each once it is on disk."""
        async for sequence, recorded, error in self._record_each(requests, call):
            yield pb.StreamColumnsResponse(sequence=sequence, recorded=recorded, error=error)

    async def _record(self, request: Any, call: Call, *, dry_run: bool = False) -> int:
        with self.recording.rejections.counted(call.caller) as attempt:
            idempotency_key = check_idempotency_key(request.idempotency_key)
            attempt.points = wire.count(request)
            checked = await PARSING.run(
                lambda: self.recording.check(wire.read(request), idempotency_key),
                size=attempt.points,
            )
            return await self.recording.record(call.caller, checked, dry_run=dry_run)

    def _record_each(
        self, requests: AsyncIterator[Any], call: Call
    ) -> AsyncIterator[tuple[int, int, Status | None]]:
        return answer_in_order(
            requests,
            lambda request: self._record(request, call),
            MAX_BATCHES_IN_FLIGHT,
            self.field_names,
        )

    async def ListMetricNames(
        self, request: pb.ListMetricNamesRequest, call: Call
    ) -> pb.ListMetricNamesResponse:
        """List metric names."""
        page = asked_page(request, (str,), most=MAX_ENTRIES)
        names = await self.queries.names(call.organization_id, request.agent_id)
        shown, next_page_token = page.of(names, lambda name: (name,))
        return pb.ListMetricNamesResponse(names=shown, next_page_token=next_page_token)

    async def ListMetrics(
        self, request: pb.ListMetricsRequest, call: Call
    ) -> pb.ListMetricsResponse:
        """List metrics with what is known of them."""
        return await list_metrics(self.queries, call.organization_id, request)

    async def AggregateMetrics(
        self, request: pb.AggregateMetricsRequest, call: Call
    ) -> pb.AggregateMetricsResponse:
        """Sum metrics over a range."""
        page = page_of_aggregate(request)
        rows = await self.queries.aggregate(call.organization_id, sum_request(request))
        shown, next_page_token = rows_of_aggregate(page, len(rows.groups))
        return await RENDERING.run(
            lambda: pb.AggregateMetricsResponse(
                rows=[
                    pb.AggregateRow(labels=labels, metrics=metrics)
                    for _, labels, metrics in _each_row(rows, shown)
                ],
                next_page_token=next_page_token,
            ),
            size=rows.sums[shown].size,
        )

    async def ListDailyMetrics(
        self, request: pb.ListDailyMetricsRequest, call: Call
    ) -> pb.ListDailyMetricsResponse:
        """Sum metrics by calendar day."""
        page = page_of_daily(request)
        rows = await self.queries.daily(
            call.organization_id,
            sum_request(request),
            find_zone(request.time_zone),
            fill_zero=_fill_zero(request.fill),
        )
        shown, next_page_token = rows_of_daily(page, rows.days)
        dates = [date_pb2.Date(year=d.year, month=d.month, day=d.day) for d in rows.dates]
        return await RENDERING.run(
            lambda: pb.ListDailyMetricsResponse(
                rows=[
                    pb.DailyRow(date=dates[day], labels=labels, metrics=metrics)
                    for day, labels, metrics in _each_row(rows, shown)
                ],
                next_page_token=next_page_token,
            ),
            size=rows.sums[shown].size,
        )

    async def QueryTimeseries(
        self, request: pb.QueryTimeseriesRequest, call: Call
    ) -> pb.QueryTimeseriesResponse:
        """Read one metric over time."""
        if not request.metric_name:
            raise InvalidArgument.of("metric_name", "must be given")
        asked = TimeseriesRequest(
            time_range=range_of(request.selection),
            metric_name=request.metric_name,
            step_us=duration_us(request.step, "step") if request.HasField("step") else HOUR_US,
            filters=filters_of(request.selection),
            fill_zero=_fill_zero(request.fill),
        )
        found = await self.queries.timeseries(call.organization_id, asked)
        starts_us = asked.time_range.start_us + found.buckets * asked.step_us
        return await RENDERING.run(
            lambda: pb.QueryTimeseriesResponse(
                type=TYPES[found.type], buckets=timeseries_buckets(starts_us.tolist(), found)
            ),
            size=len(found.values),
        )

    async def QueryMetrics(
        self, request: query_pb2.QueryMetricsRequest, call: Call
    ) -> query_pb2.QueryMetricsResponse:
        """Ask anything of metrics."""
        try:
            rows = await self.queries.query_metrics(call.organization_id, read_query(request))
        except InvalidArgument as error:
            raise error.respelled(QUERY_FIELD_NAMES) from None
        return await RENDERING.run(lambda: write_rows(rows), size=rows.values.size)

    async def DeletePoints(
        self, request: deletion_pb2.DeletePointsRequest, call: Call
    ) -> deletion_pb2.DeletePointsResponse:
        """Delete points, all of them or none."""
        try:
            deleted = await self.deletion.delete(call.organization_id, read_deletion(request))
        except InvalidArgument as error:
            raise error.respelled(QUERY_FIELD_NAMES) from None
        return deletion_pb2.DeletePointsResponse(deleted=deleted)

    async def ExportPoints(
        self, request: pb.ExportPointsRequest, call: Call
    ) -> AsyncIterator[pb.ExportPointsResponse]:
        """Stream points in order of time."""
        token = resume_token(request, (int, int))
        call.taken_within_seconds = EXPORT_TAKEN_WITHIN_SECONDS
        try:
            export = Export(store=self.queries.store)
            exporting = export.pieces(call.organization_id, read_export(request, token))
            async with contextlib.aclosing(exporting):
                writer = PieceWriter(token)
                async for piece in exporting:
                    writing = functools.partial(writer.write, piece)
                    for message in await RENDERING.run(writing, size=len(piece.batch)):
                        yield message
        except InvalidArgument as error:
            raise error.respelled(QUERY_FIELD_NAMES) from None

    async def ListTags(self, request: pb.ListTagsRequest, call: Call) -> pb.ListTagsResponse:
        """List tag keys with their values."""
        return await list_tags(self.queries, call.organization_id, request)

    async def GetUsage(self, request: pb.GetUsageRequest, call: Call) -> pb.GetUsageResponse:
        """Report how much is stored, and how near the limits that is."""
        return write_usage(await self.usage.report(call.caller, request.limit))

    async def GetSessionMetrics(
        self, request: pb.GetSessionMetricsRequest, call: Call
    ) -> pb.GetSessionMetricsResponse:
        """Read all metrics of one session."""
        page = asked_page(request, (str, ...), most=MAX_ENTRIES)
        metrics = await self.queries.session(call.organization_id, request.session_id)
        shown, next_page_token = page.of(metrics, position_of_session_metric)
        return pb.GetSessionMetricsResponse(
            metrics=[write_session_metric(each) for each in shown], next_page_token=next_page_token
        )


FIELD_NAMES: Mapping[str, str] = {
    "start_date": "start_time",
    "end_date": "end_time",
    "timestamp": "occur_time",
    "timezone": "time_zone",
}


def _fill_zero(fill: pb.Fill) -> bool:
    if fill not in (pb.FILL_UNSPECIFIED, pb.FILL_ZERO):
        raise InvalidArgument.of("fill", "must be FILL_ZERO or unspecified")
    return fill == pb.FILL_ZERO


def _each_row(rows: Rows, shown: slice) -> Iterable[tuple[int, dict[str, str], dict[str, float]]]:
    for day, group, sums in zip(
        rows.days[shown], rows.groups[shown], rows.sums[shown].tolist(), strict=True
    ):
        labels = dict(zip(rows.group_by, group, strict=True))
        yield day, labels, dict(zip(rows.metric_names, sums, strict=True))
