"""The three ways to send a request: gRPC, and HTTP with protobuf and JSON."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import code_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as pb
from tests.otlp.sending import Sender

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
ROUTES = ("grpc", "protobuf", "json")
TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
NO_REQUEST = "The body must be an ExportMetricsServiceRequest"


@dataclass(frozen=True)
class Answered:
    """What a request was answered: a gRPC code, and a message of an error or partial success."""

    code: int
    message: str = ""
    rejected: int = 0


TAKEN = Answered(code_pb2.OK)


@dataclass(frozen=True)
class Route:
    """A way to send, for one sender."""

    sender: Sender
    name: str

    def encoded(self, request: Any) -> bytes:
        """Return a message as this route has it."""
        if self.name != "json":
            data: bytes = request.SerializeToString()
            return data
        text = json_format.MessageToJson(request, use_integers_for_enums=True)
        return text.encode()

    def export(self, *metrics: Any, resource: Mapping[str, str] | None = None) -> Answered:
        """Send metrics of one exporter."""
        request = pb.ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add()
        for key, text in (resource or {}).items():
            of_resource.resource.attributes.add(key=key).value.string_value = text
        of_resource.scope_metrics.add().metrics.extend(metrics)
        return self.send(self.encoded(request))

    def send(self, body: bytes, **headers: str) -> Answered:
        """Send a body as it is."""
        if self.name == "grpc":
            return self._call(body)
        answer = self.sender.post(body, TYPES[self.name], **headers)
        assert answer.headers["content-type"] == TYPES[self.name], answer.text
        is_json = self.name == "json"
        if answer.status_code != 200:
            if is_json or answer.content[:1] == b"{":
                told = answer.json()
                return Answered(told["code"], told["message"])
            status = status_pb2.Status.FromString(answer.content)
            return Answered(status.code, status.message)
        response = pb.ExportMetricsServiceResponse()
        if is_json:
            json_format.Parse(answer.content, response)
        else:
            response.ParseFromString(answer.content)
        return _of_response(response)

    def send_gzip(self, body: bytes) -> Answered:
        """Send the body compressed."""
        if self.name == "grpc":
            return self._call(body, grpc.Compression.Gzip)
        return self.send(gzip.compress(body), **{"content-encoding": "gzip"})

    def _call(self, body: bytes, compression: grpc.Compression | None = None) -> Answered:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(self.sender.stack.edge_target, options) as channel:
            export: Any = channel.unary_unary(
                METHOD, response_deserializer=pb.ExportMetricsServiceResponse.FromString
            )
            try:
                response = export(
                    body,
                    metadata=list(self.sender.headers.items()),
                    timeout=30,
                    compression=compression,
                )
            except grpc.RpcError as error:
                return Answered(error.code().value[0], error.details() or "")
        return _of_response(response)


def _of_response(response: Any) -> Answered:
    partial = response.partial_success
    return Answered(code_pb2.OK, partial.error_message, partial.rejected_data_points)


def notes_of(sender: Sender) -> dict[str, int]:
    """Return what is worth knowing of points that were taken."""
    return {each.note: each.count for each in sender.rejected().notes}
