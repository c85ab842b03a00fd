"""Exporters of OpenTelemetry by every transport: of deltas, and of sums that only grow."""

from __future__ import annotations

import time
from itertools import accumulate
from typing import Any, Final

import grpc
import requests
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as pb
from opentelemetry.proto.metrics.v1 import metrics_pb2
from tests.end_to_end.callers import WAIT_SECONDS, Caller
from tests.end_to_end.recorders import Recorder, RpcRecorderAtStops, number_of, size_of

EXPORT: Final = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
MILLISECOND: Final = 1_000_000
"""In nanoseconds."""


class OtlpRecorder(Recorder):
    """An exporter's deltas in JSON, one after the other; a repeat is equal in every byte."""

    def __init__(self, name: str, caller: Caller) -> None:
        super().__init__(name, caller)
        # A series that began at the time of its first value would count from its second one.
        self.began_ns = time.time_ns() - 1_000 * MILLISECOND

    def export_of(self, batch: str) -> Any:
        """Return a batch as a request: each point another delta of the batch's series."""
        began = self.began_ns + number_of(batch) * MILLISECOND
        request = pb.ExportMetricsServiceRequest()
        summed = self.sum_in(request, metrics_pb2.AGGREGATION_TEMPORALITY_DELTA)
        for number in range(size_of(batch)):
            point = summed.data_points.add(
                start_time_unix_nano=began + number * 1_000,
                time_unix_nano=began + (number + 1) * 1_000,
                as_int=1,
            )
            point.attributes.add(key="batch").value.string_value = batch
        return request

    def sum_in(self, request: Any, temporality: Any) -> Any:
        """Return a counter of this exporter in a request, without points."""
        resource = request.resource_metrics.add()
        resource.resource.attributes.add(key="service.instance.id").value.string_value = self.name
        summed = resource.scope_metrics.add().metrics.add(name="turns").sum
        summed.aggregation_temporality = temporality
        summed.is_monotonic = True
        return summed

    def record(self, batch: str) -> bool:
        request = self.export_of(batch)
        text = json_format.MessageToJson(request, use_integers_for_enums=True)
        return self.is_taken_over_http(text.encode(), "application/json")

    def is_taken_over_http(self, body: bytes, kind: str) -> bool:
        """Send a body; return whether all of it was acknowledged."""
        try:
            answer = self.caller.session.post(
                f"{self.caller.stack.rest_url}/v1/metrics",
                data=body,
                headers={**self.caller.credentials, "content-type": kind},
                timeout=WAIT_SECONDS,
            )
        except requests.RequestException:
            return False
        assert answer.status_code in (200, 503, 504), answer.text
        assert b"rejected" not in answer.content, answer.text
        return answer.status_code == 200


class OtlpProtobufRecorder(OtlpRecorder):
    """The same in protobuf over HTTP."""

    def record(self, batch: str) -> bool:
        body = self.export_of(batch).SerializeToString()
        return self.is_taken_over_http(body, "application/x-protobuf")


class OtlpRpcRecorder(OtlpRecorder, RpcRecorderAtStops):
    """The same over gRPC."""

    def record(self, batch: str) -> bool:
        export: Any = self.caller.channel.unary_unary(
            EXPORT,
            request_serializer=pb.ExportMetricsServiceRequest.SerializeToString,
            response_deserializer=pb.ExportMetricsServiceResponse.FromString,
        )
        metadata = tuple(self.caller.credentials.items())
        try:
            answer = export(self.export_of(batch), metadata=metadata, timeout=WAIT_SECONDS)
        except grpc.RpcError as error:
            if not self.is_of_stop(batch, error.code().value[0]):
                raise
            return False
        assert not answer.partial_success.rejected_data_points, answer
        return True


class Cumulative(OtlpRecorder):
    """An exporter's sum that only grows: each batch is what was added since the one before.

    What was not acknowledged is contained in the next export, which has a time of its own. What was
    acknowledged comes again as a late one.
    """

    def __init__(self, name: str, caller: Caller) -> None:
        super().__init__(name, caller)
        self._exported_ns: dict[str, int] = {}

    def export_of(self, batch: str) -> Any:
        if batch in self.unacknowledged:
            self._exported_ns[batch] = time.time_ns()
        request = pb.ExportMetricsServiceRequest()
        summed = self.sum_in(request, metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE)
        point = summed.data_points.add(
            start_time_unix_nano=self.began_ns,
            time_unix_nano=self._exported_ns[batch],
            as_int=sum(map(size_of, self.sent[: number_of(batch) + 1])),
        )
        point.attributes.add(key="batch").value.string_value = self.name
        return request

    def divided(self, total: int) -> dict[str, int]:
        """Return how much of each batch is in a sum; the last one has what is too much."""
        if not self.sent:
            return {self.name: total} if total else {}
        before = [0, *accumulate(map(size_of, self.sent))]
        found = {
            batch: min(size_of(batch), total - first)
            for batch, first in zip(self.sent, before, strict=False)
            if total > first
        }
        if total > before[-1]:
            found[self.sent[-1]] += total - before[-1]
        return found


class CumulativeRecorder(Cumulative, OtlpProtobufRecorder):
    """Such sums in protobuf over HTTP."""


class CumulativeRpcRecorder(Cumulative, OtlpRpcRecorder):
    """Such sums over gRPC."""
