"""Callers of a running product: what they ask on either API, and what they are answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import requests
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.rpc import status_pb2
from tests.end_to_end.api import BY_NAME, POOL, Method
from tests.stack import Stack

from vumeter_server.access.keys import NewKey

BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
WAIT_SECONDS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a caller got.

    `code` is gRPC's number on both APIs, `status` that of HTTP, 0 for gRPC. `body` is JSON on
    both APIs, a list of messages for streams; of a refused call it is google.rpc.Status.
    """

    code: int
    body: Any
    headers: Mapping[str, str]
    status: int = 0

    @property
    def message(self) -> str:
        return str(self.body["message"])

    @property
    def fields(self) -> list[str]:
        """The fields that the answer names."""
        return [
            violation["field"]
            for detail in self.body.get("details", [])
            if detail["@type"] == BAD_REQUEST
            for violation in detail["fieldViolations"]
        ]


def bearer(key: NewKey) -> dict[str, str]:
    """Every credential that this key makes, so that each family finds its own."""
    return {
        "authorization": f"Bearer {key.bearer}",
        "x-api-key": key.key_id,
        "x-secret-key": key.secret,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Somebody who asks a product with the same credentials on both APIs."""

    stack: Stack
    channel: grpc.Channel
    session: requests.Session
    credentials: Mapping[str, str] = field(default_factory=dict)

    def showing(self, credentials: Mapping[str, str]) -> Caller:
        """The same, with other credentials."""
        return replace(self, credentials=credentials)

    def rest(
        self,
        verb: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask a documented path; a body that is not bytes is sent as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {**self.credentials, **(headers or {})}
        if body is not None and "content-type" not in sent:
            sent["content-type"] = "application/json"
        response = self.session.request(
            verb,
            self.stack.rest_url + path,
            params=query,
            data=body,
            headers=sent,
            timeout=WAIT_SECONDS,
        )
        answered = response.json()
        return Answer(
            code=0 if response.ok else answered["code"],
            status=response.status_code,
            body=answered,
            headers={name.lower(): value for name, value in response.headers.items()},
        )

    def get(self, path: str, **query: str) -> Answer:
        return self.rest("GET", path, query)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.rest("POST", path, body=body, headers=headers)

    def record(self, points: Sequence[Any]) -> None:
        """Record points of the REST body, in calls of at most 10,000."""
        for start in range(0, len(points), 10_000):
            answer = self.post("/v1/custom-metrics", {"points": points[start : start + 10_000]})
            assert answer.status == 200, answer.body

    def rpc(
        self,
        name: str,
        request: Any = None,
        *,
        timeout: float = WAIT_SECONDS,
        at_most: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call a method; of a stream of answers the first `at_most` are awaited.

        The request is JSON, a list for a stream of requests, or bytes that are sent as they are.
        """
        method = BY_NAME[name]
        kind = (
            ("stream" if method.descriptor.client_streaming else "unary")
            + "_"
            + ("stream" if method.descriptor.server_streaming else "unary")
        )
        stub = getattr(self.channel, kind)(
            f"/{name}",
            request_serializer=lambda sent: sent,
            response_deserializer=method.response_type().FromString,
        )
        sent: Iterator[bytes] | bytes
        if method.descriptor.client_streaming:
            sent = iter([_serialized(method, each) for each in request or []])
        else:
            sent = _serialized(method, request or {})
        shown = tuple({**self.credentials, **(metadata or {})}.items())
        try:
            if method.descriptor.server_streaming:
                call = stub(sent, metadata=shown, timeout=timeout)
                answers = [as_json(each) for each in _first(call, at_most)]
                headers = {} if at_most is not None else dict(call.trailing_metadata())
                return Answer(code=0, body=answers, headers=headers)
            response, call = stub.with_call(sent, metadata=shown, timeout=timeout)
        except grpc.RpcError as error:
            return _refused(error)
        return Answer(code=0, body=as_json(response), headers=dict(call.trailing_metadata()))


def as_json(message: Message) -> Any:
    """Return a message as JSON with proto names; what is not set is left out."""
    return MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=POOL)


def _first(call: Any, at_most: int | None) -> Iterator[Message]:
    for number, message in enumerate(call, 1):
        yield message
        if number == at_most:
            call.cancel()
            return


def _serialized(method: Method, request: Any) -> bytes:
    if isinstance(request, bytes):
        return request
    message = ParseDict(request, method.request_type()(), descriptor_pool=POOL)
    data: bytes = message.SerializeToString()
    return data


def _refused(error: Any) -> Answer:
    trailers = dict(error.trailing_metadata() or ()) | dict(error.initial_metadata() or ())
    body: dict[str, Any] = {"code": error.code().value[0], "message": error.details()}
    if "grpc-status-details-bin" in trailers:
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        body = MessageToDict(
            status, always_print_fields_with_no_presence=True, descriptor_pool=POOL
        )
        assert (body["code"], body["message"]) == (error.code().value[0], error.details())
    return Answer(code=error.code().value[0], body=body, headers=trailers)
