"""Sends requests that nobody would send, and judges the answers."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.rpc import status_pb2
from tests.end_to_end.callers import Caller
from tests.end_to_end.leaks import LEAK
from tests.fuzz.making import RestRequest, RpcRequest

WAIT_SECONDS: Final = 40
STREAM_SECONDS: Final = 0.5
READ_BYTES: Final = 65_536
# Overload and time limits are answers; anything else of 500 and above is a fault of the server.
ALLOWED: Final = (503, 504)
_CODES: Final = {code.value[0]: code.name for code in grpc.StatusCode}
FAULTS: Final = ("UNKNOWN", "INTERNAL", "DATA_LOSS", "ABORTED")


class Unsendable(Exception):
    """The client does not send a target or a header with such characters."""


class Judge:
    """Sends requests over connections that it keeps, and raises AssertionError for a fault."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._connection: http.client.HTTPConnection | None = None
        self.answers: Counter[str] = Counter()

    def send(self, request: RestRequest | RpcRequest) -> bool:
        """Send a request and judge its answer; return whether the client sends such a request."""
        if isinstance(request, RestRequest):
            return self._rest(request)
        self._rpc(request)
        return True

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _rest(self, request: RestRequest) -> bool:
        try:
            status, kind, body = self._answer(request)
        except ConnectionError:
            # A connection may be closed while it is used again. Clients try again, once.
            self._forget()
            status, kind, body = self._answer(request)
        except Unsendable:
            self._forget()
            return False
        self.answers[str(status)] += 1
        shown = (request, status, body[:2_000])
        assert status < 500 or status in ALLOWED, shown
        if status >= 400 and body and request.verb != "HEAD":
            self._judge_text(_message_of(kind, body, shown), shown)
        return True

    def _answer(self, request: RestRequest) -> tuple[int, str, bytes]:
        if self._connection is None:
            host, _, port = self._caller.stack.edge_target.rpartition(":")
            self._connection = http.client.HTTPConnection(host, int(port), timeout=WAIT_SECONDS)
        connection = self._connection
        headers = {**self._caller.credentials, **request.headers}
        try:
            connection.putrequest(request.verb, request.target)
            for name, value in headers.items():
                connection.putheader(name, value)
        except (http.client.InvalidURL, ValueError):
            # Nothing was sent yet.
            raise Unsendable from None
        if request.body is not None:
            connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body)
        response = connection.getresponse()
        kind = response.headers.get("content-type", "")
        if kind == "text/event-stream":
            # It has no end.
            body = response.read1(READ_BYTES)
            self._forget()
        else:
            body = response.read()
        if response.headers.get("connection") == "close":
            self._forget()
        return response.status, kind, body

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _rpc(self, request: RpcRequest) -> None:
        method = request.method
        sends, answers = (
            method.descriptor.client_streaming,
            method.descriptor.server_streaming,
        )
        kind = f"{'stream' if sends else 'unary'}_{'stream' if answers else 'unary'}"
        call = getattr(self._caller.channel, kind)(
            f"/{method.name}", request_serializer=None, response_deserializer=None
        )
        sent: Any = iter(request.messages) if sends else request.messages[0]
        metadata = tuple(self._caller.credentials.items())
        timeout = STREAM_SECONDS if answers else WAIT_SECONDS
        try:
            if answers:
                for number, _ in enumerate(call(sent, metadata=metadata, timeout=timeout)):
                    if number == 2:
                        break
            else:
                call(sent, metadata=metadata, timeout=timeout)
        except grpc.RpcError as error:
            self._judge_error(error, request)
        else:
            self.answers["OK"] += 1

    def _judge_error(self, error: Any, request: RpcRequest) -> None:
        code = error.code()
        self.answers[code.name] += 1
        shown = (request, code, error.details())
        assert code.name not in FAULTS, shown
        self._judge_text(error.details() or "", shown)

    @staticmethod
    def _judge_text(text: str, shown: object) -> None:
        assert not LEAK.search(text), shown


def _message_of(kind: str, body: bytes, shown: object) -> str:
    """Return the text of an error; OpenTelemetry's exporters get it as protobuf."""
    if kind == "application/x-protobuf":
        return str(status_pb2.Status.FromString(body).message)
    assert kind == "application/json", shown
    error = json.loads(body)
    assert {"code", "message", "details"} <= error.keys(), shown
    return str(error["message"])


def faults_in(log: str) -> list[Mapping[str, Any]]:
    """Return what a server's log says went wrong inside of it."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("level") == "error"]
