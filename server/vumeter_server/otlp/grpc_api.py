"""OpenTelemetry's MetricsService, and what was rejected of it, for gRPC callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import ServiceDescriptor
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from vumeter.otlp.v1 import otlp_pb2 as pb
from vumeter_server.api.call import Call
from vumeter_server.api.servicers import Readable
from vumeter_server.api.times import timestamp
from vumeter_server.custom_metrics.exported import Reason
from vumeter_server.otlp import wire
from vumeter_server.otlp.ingest import Exports, partial_success

_REASONS: Final[Mapping[str, pb.RejectionReason]] = {
    Reason.NAME: pb.REJECTION_REASON_NAME,
    Reason.TYPE: pb.REJECTION_REASON_TYPE,
    Reason.VALUE: pb.REJECTION_REASON_VALUE,
    Reason.TIME: pb.REJECTION_REASON_TIME,
    Reason.DISTRIBUTION: pb.REJECTION_REASON_DISTRIBUTION,
    Reason.UNSUPPORTED: pb.REJECTION_REASON_UNSUPPORTED,
    Reason.LIMIT: pb.REJECTION_REASON_LIMIT,
    Reason.MALFORMED: pb.REJECTION_REASON_MALFORMED,
}


class Unparsed:
    """A request that stays in its bytes."""

    @staticmethod
    def FromString(data: bytes, /) -> bytes:
        """Return the bytes."""
        return data


@dataclass(frozen=True, kw_only=True, slots=True)
class OtlpMetricsService:
    """Serves opentelemetry.proto.collector.metrics.v1.MetricsService."""

    exports: Exports

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return metrics_service_pb2.DESCRIPTOR.services_by_name["MetricsService"]

    @property
    def request_types(self) -> Mapping[str, Readable]:
        """Requests stay bytes: large ones are parsed on a thread."""
        return {"Export": Unparsed}

    @property
    def field_names(self) -> Mapping[str, str]:
        """Fields are spelled as the core spells them."""
        return {}

    async def Export(
        self, request: Any, call: Call
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        """Record points; those that break a rule are rejected alone."""
        outcome = await self.exports.record(call.caller, request, wire.read_request)
        return response_of(*partial_success(outcome))


def response_of(rejected: int, sentence: str) -> metrics_service_pb2.ExportMetricsServiceResponse:
    """Return the answer to an export."""
    response = metrics_service_pb2.ExportMetricsServiceResponse()
    if rejected:
        response.partial_success.rejected_data_points = rejected
        response.partial_success.error_message = sentence
    return response


@dataclass(frozen=True, kw_only=True, slots=True)
class OtlpService:
    """Serves vumeter.otlp.v1.OtlpService."""

    exports: Exports

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["OtlpService"]

    @property
    def field_names(self) -> Mapping[str, str]:
        """Fields are spelled as the core spells them."""
        return {}

    async def ListRejectedPoints(
        self, request: pb.ListRejectedPointsRequest, call: Call
    ) -> pb.ListRejectedPointsResponse:
        """List what was rejected."""
        rejections = await self.exports.rejections(call.organization_id)
        counts = sorted(rejections.counts, key=lambda each: (-each.points, each.metric_name))
        return pb.ListRejectedPointsResponse(
            counts=[
                pb.RejectedCount(
                    reason=_REASONS[each.what],
                    key_id=each.key_id,
                    metric_name=each.metric_name,
                    points=each.points,
                    last_reject_time=timestamp(each.last_us),
                )
                for each in counts
                if each.what in _REASONS
            ],
            latest=[
                pb.RejectedPoint(
                    reject_time=timestamp(each.rejected_us),
                    key_id=each.key_id,
                    metric_name=each.point.metric_name,
                    reason=_REASONS[each.point.reason],
                    problem=each.point.problem,
                )
                for each in rejections.latest
            ],
            notes=[
                pb.PointNote(
                    note=each.what,
                    key_id=each.key_id,
                    count=each.points,
                    last_time=timestamp(each.last_us),
                )
                for each in counts
                if each.what not in _REASONS
            ],
        )
