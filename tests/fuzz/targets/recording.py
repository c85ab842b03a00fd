"""Recordings: points, columns, events and calls, as messages and as bodies of REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from tests.end_to_end.api import BY_NAME, POOL
from tests.end_to_end.examples import load_examples
from tests.fuzz.targets.target import Target, as_json

from vumeter.live_metrics.v1 import live_metrics_pb2
from vumeter.simulation.v1 import simulation_pb2
from vumeter_server.api import content_coding, json_body
from vumeter_server.custom_metrics import wire
from vumeter_server.custom_metrics.columnar import UncheckedColumns, validate_columns
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.record_body import RecordBody, points_of
from vumeter_server.custom_metrics.validation import (
    UncheckedPoints,
    check_idempotency_key,
    settle,
    validate,
)
from vumeter_server.errors import BodyTooLarge, InvalidArgument
from vumeter_server.live_metrics import grpc_api, rest_api, validation
from vumeter_server.simulation import bodies, grpc_messages

NOW_US: Final = 1_795_708_900_000_000


def recorded(points: UncheckedPoints | UncheckedColumns) -> Batch:
    """Check points as the use case of recording does, up to what a store is given."""
    if isinstance(points, UncheckedColumns):
        batch = validate_columns(points, NOW_US)
    else:
        batch = validate(points, NOW_US)
    batch.digest()
    settle(batch, {}, NOW_US)
    return batch


def message_seeds(*methods: str) -> list[bytes]:
    """Return the documented requests of some methods."""
    return list(_messages(methods))


def _messages(methods: Sequence[str]) -> Iterator[bytes]:
    for example in load_examples():
        asked = [example.ask, *example.content["record"]]
        for each in asked if example.is_typed else ():
            if each["rpc"].rpartition("/")[2] in methods:
                requests = each["request"]
                for request in requests if isinstance(requests, list) else [requests]:
                    yield _message(each["rpc"], request)


def _message(name: str, request: Any) -> bytes:
    message = ParseDict(request, BY_NAME[name].request_type()(), descriptor_pool=POOL)
    data: bytes = message.SerializeToString()
    return data


def body_seeds(*paths: str) -> list[bytes]:
    """Return the documented bodies that are sent to some paths."""
    return as_json(
        *(
            each["body"]
            for example in load_examples()
            for each in ([] if example.is_typed else [example.ask, *example.content["record"]])
            if each.get("path") in paths and "body" in each
        )
    )


def _points_read_by(method: str) -> Callable[[bytes], object]:
    request_type: Any = wire.REQUEST_TYPES[method]

    def read(data: bytes) -> Batch:
        request = request_type.FromString(data)
        check_idempotency_key(request.idempotency_key)
        assert wire.count(request) >= 0
        return recorded(wire.read(request))

    return read


def _body(data: bytes) -> Batch:
    body = json_body.decode(HttpBody(data=data), RecordBody)
    check_idempotency_key(body.idempotency_key or None)
    return recorded(points_of(body.points))


def _parsed_by(message: type[Message], read: Callable[[Any], object]) -> Callable[[bytes], object]:
    return lambda data: read(message.FromString(data))


def _events(request: live_metrics_pb2.RecordEventsRequest) -> object:
    return validation.check([grpc_api.sent_event(each) for each in request.events], NOW_US)


def _events_body(data: bytes) -> object:
    return validation.check(rest_api._parse(HttpBody(data=data)), NOW_US)


def _calls(request: simulation_pb2.RecordCallsRequest) -> object:
    return [grpc_messages.write_call(each) for each in grpc_messages.read_calls(request.calls)]


def _calls_body(data: bytes) -> object:
    return bodies.call_reports(json_body.decode(HttpBody(data=data), bodies.CallsBody))


def _execution_body(data: bytes) -> object:
    return bodies.execution_report(json_body.decode(HttpBody(data=data), bodies.ExecutionBody))


MESSAGES: Final = (InvalidArgument, DecodeError)

TARGETS: Final = {
    "record_points": Target(
        read=_points_read_by("RecordPoints"),
        seeds=lambda: message_seeds("RecordPoints", "StreamPoints"),
        allowed=MESSAGES,
    ),
    "record_columns": Target(
        read=_points_read_by("StreamColumns"),
        seeds=lambda: message_seeds("RecordColumns", "StreamColumns"),
        allowed=MESSAGES,
    ),
    "record_body": Target(
        read=_body, seeds=lambda: body_seeds("/v1/custom-metrics"), allowed=(InvalidArgument,)
    ),
    "events": Target(
        read=_parsed_by(live_metrics_pb2.RecordEventsRequest, _events),
        seeds=lambda: message_seeds("RecordEvents", "StreamEvents"),
        allowed=MESSAGES,
    ),
    "events_body": Target(
        read=_events_body,
        seeds=lambda: body_seeds("/api/v1/metrics/events"),
        allowed=(InvalidArgument,),
    ),
    "calls": Target(
        read=_parsed_by(simulation_pb2.RecordCallsRequest, _calls),
        seeds=lambda: message_seeds("RecordCalls", "StreamCalls"),
        allowed=MESSAGES,
    ),
    "calls_body": Target(
        read=_calls_body,
        seeds=lambda: body_seeds("/sdk/api/v1/simulation/calls"),
        allowed=(InvalidArgument,),
    ),
    "execution_body": Target(
        read=_execution_body,
        seeds=lambda: body_seeds("/sdk/api/v1/simulation/executions"),
        allowed=(InvalidArgument,),
    ),
    "gzip": Target(
        read=content_coding.inflate,
        seeds=lambda: [
            bytes.fromhex("1f8b08000000000002ffabae0500432c0b4802000000"),
            bytes.fromhex("1f8b08000000000002ff4b4c4a0600c241243503000000"),
        ],
        allowed=(InvalidArgument, BodyTooLarge),
    ),
}
