"""OTLP over HTTP: protobuf and JSON, and the paths that LiveKit's agents send to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf import json_format
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from vumeter.otlp.v1 import otlp_rest_pb2 as pb
from vumeter_server.api.call import Call
from vumeter_server.errors import InvalidArgument
from vumeter_server.otlp import json_form, wire
from vumeter_server.otlp.grpc_api import response_of
from vumeter_server.otlp.ingest import Exports, partial_success

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
MEDIA_TYPES: Final = f"must be {PROTOBUF} or {JSON}"
_READERS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    PROTOBUF: wire.read_request,
    "application/protobuf": wire.read_request,
    JSON: json_form.read_request,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OtlpRestService:
    """Serves vumeter.otlp.v1.OtlpRestService."""

    exports: Exports

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["OtlpRestService"]

    @property
    def field_names(self) -> Mapping[str, str]:
        """Fields are spelled as the core spells them."""
        return {}

    @property
    def unread(self) -> Collection[str]:
        """What holds transcripts and voices is thrown away as it comes."""
        return ("DiscardTraces", "DiscardLogs", "DiscardRecordings")

    async def ExportMetrics(self, request: pb.ExportMetricsRequest, call: Call) -> HttpBody:
        """Record points; those that break a rule are rejected alone."""
        kind = media_type(request.body.content_type)
        read = _READERS.get(kind)
        if read is None:
            raise InvalidArgument.of("Content-Type", MEDIA_TYPES, as_sent=True)
        outcome = await self.exports.record(call.caller, request.body.data, read)
        return _encoded(response_of(*partial_success(outcome)), kind)

    async def DiscardTraces(self, request: pb.DiscardTracesRequest, call: Call) -> HttpBody:
        """Throw traces away."""
        return _nothing(request)

    async def DiscardLogs(self, request: pb.DiscardLogsRequest, call: Call) -> HttpBody:
        """Throw logs away."""
        return _nothing(request)

    async def DiscardRecordings(self, request: pb.DiscardRecordingsRequest, call: Call) -> HttpBody:
        """Throw recordings away."""
        return _nothing(request)

    def error_body(self, status: Status, request: Any) -> HttpBody:
        """Return a status in the encoding of the request, JSON where that is not known."""
        given = "" if request is None else request.body.content_type
        kind = media_type(given) if given else JSON
        return _encoded(status, kind if kind in _READERS else JSON)


def media_type(content_type: str) -> str:
    """Return a content type without its parameters; protobuf where none is given."""
    return content_type.partition(";")[0].strip().lower() or PROTOBUF


def _nothing(request: Any) -> HttpBody:
    kind = media_type(request.body.content_type)
    return HttpBody(content_type=kind, data=b"{}\n" if kind == JSON else b"")


def _encoded(message: Message, kind: str) -> HttpBody:
    if kind != JSON:
        return HttpBody(content_type=kind, data=message.SerializeToString())
    # As Envoy prints errors, empty details too. An unset partial_success prints as nothing: `{}`.
    text = json_format.MessageToJson(
        message, indent=None, always_print_fields_with_no_presence=True
    )
    return HttpBody(content_type=JSON, data=f"{text}\n".encode())
