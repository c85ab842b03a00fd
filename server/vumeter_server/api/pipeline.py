"""The pipeline around every handler of every service.

In order: request id, credential, rate, role, request message, handler, answer; and whatever is
raised on the way becomes a status by the one error table. Handlers are registered from the
service's descriptor and get bytes from grpc, because grpc answers a request that it cannot decode
by itself with the decoder's own text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import structlog
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from vumeter_server.access import roles
from vumeter_server.access.authenticator import Authenticator, Caller
from vumeter_server.access.rates import RateLimits
from vumeter_server.access.roles import Access
from vumeter_server.api import credentials
from vumeter_server.api.arrivals import Arrivals
from vumeter_server.api.call import Call
from vumeter_server.api.content_coding import decode_body
from vumeter_server.api.error_table import initial_metadata, status_of, trailing_metadata
from vumeter_server.api.handling import CODES, begin, body_field, taken_in_time
from vumeter_server.api.observing import Observed, Observer, observing
from vumeter_server.api.query_parameters import QueryParameters
from vumeter_server.api.servicers import (
    LeavesUnread,
    Readable,
    ReadsOtherwise,
    Servicer,
    WritesErrors,
)
from vumeter_server.api.standing import Standing
from vumeter_server.errors import DeadlineExceeded, InvalidArgument, LimitExceeded, VumeterError

_log = structlog.get_logger(__name__)
_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """What every handler is wrapped with."""

    authenticator: Authenticator
    query_timeout_seconds: float
    methods: Mapping[str, Access] = field(default_factory=lambda: roles.METHODS)
    """What each method asks of its callers, by its full name."""
    rates: RateLimits = field(default_factory=RateLimits)
    on_limited: Sequence[Callable[[Caller], None]] = ()
    """Are called for each call that is rejected because its key makes too many."""
    observers: Sequence[Observer] = ()
    """Are called when a call begins, and with its status when it ends."""
    arrivals: Arrivals = field(default_factory=Arrivals)

    def handlers(self, servicer: Servicer) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """Return grpc's handlers for every method of `servicer`, by method name."""
        return {method.name: self._handler(servicer, method) for method in servicer.service.methods}

    def _handler(
        self, servicer: Servicer, method: MethodDescriptor
    ) -> grpc.RpcMethodHandler[Any, Any]:
        wrapped = _Method(self, servicer, method)
        if isinstance(servicer, WritesErrors):
            return grpc.unary_unary_rpc_method_handler(wrapped.with_error_body)
        if method.server_streaming:
            if method.client_streaming:
                return grpc.stream_stream_rpc_method_handler(wrapped.streaming)
            return grpc.unary_stream_rpc_method_handler(wrapped.streaming)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(wrapped.unary)
        return grpc.unary_unary_rpc_method_handler(wrapped.unary)


def is_query(method: MethodDescriptor) -> bool:
    """Whether a method changes nothing, by its own option."""
    level: int = method.GetOptions().idempotency_level
    return level == MethodOptions.NO_SIDE_EFFECTS


class _Method:
    def __init__(self, pipeline: Pipeline, servicer: Servicer, method: MethodDescriptor) -> None:
        self._authenticator = pipeline.authenticator
        self._arrivals = pipeline.arrivals
        self._handler: Callable[[Any, Call], Any] = getattr(servicer, method.name)
        self._name = method.full_name
        self._field_names = servicer.field_names
        self._access = pipeline.methods[method.full_name]
        self._rates, self._on_limited = pipeline.rates, pipeline.on_limited
        others = servicer.request_types if isinstance(servicer, ReadsOtherwise) else {}
        self._request_type: Readable = others.get(method.name) or GetMessageClass(method.input_type)
        self._error_body = servicer.error_body if isinstance(servicer, WritesErrors) else None
        self._client_streaming = method.client_streaming
        self._parameters = QueryParameters(method)
        self._body_field = body_field(method)
        if isinstance(servicer, LeavesUnread) and method.name in servicer.unread:
            self._body_field = None
        self._timeout = pipeline.query_timeout_seconds if is_query(method) else None
        self._is_stream = method.server_streaming
        is_stream = method.server_streaming or method.client_streaming
        observed = Observed(method=self._name, is_stream=is_stream)
        self._observations = [each.of_method(observed) for each in pipeline.observers]

    async def unary(self, request: Any, context: _Context) -> bytes:
        """Answer with one message."""
        call = begin(context)
        started = time.perf_counter()
        with observing(self._observations, call):
            try:
                await self._admit(call)
                message = self._read(request)
                if self._body_field is not None:
                    await decode_body(getattr(message, self._body_field), call.metadata)
                answering: Awaitable[Message] = self._handler(message, call)
                if self._timeout is None:
                    answer = await answering
                else:
                    async with asyncio.timeout(self._timeout):
                        answer = await answering
                return answer.SerializeToString()
            except (grpc.aio.AbortError, asyncio.CancelledError):
                raise
            except TimeoutError:
                await self._reject(DeadlineExceeded(), call, started)
            except Exception as error:
                await self._reject(error, call, started)
        raise AssertionError("abort raises")

    async def streaming(self, request: Any, context: _Context) -> AsyncIterator[bytes]:
        """Answer with a stream of messages."""
        call = begin(context)
        started = time.perf_counter()
        answered = False
        with observing(self._observations, call):
            try:
                await self._admit(call)
                async for answer in self._answers(request, call):
                    with taken_in_time(call):
                        yield answer.SerializeToString()
                    answered = True
            except (grpc.aio.AbortError, asyncio.CancelledError):
                raise
            except Exception as error:
                await self._reject(error, call, started, answered=answered)

    async def with_error_body(self, request: Any, context: _Context) -> bytes:
        """Answer with one message, which may be the body of an error.

        That is sent before the status, as a message of a stream, since grpc sends an answer only
        with a status that is no error. Another answer goes together with its status, in one step.
        """
        call = begin(context)
        started = time.perf_counter()
        with observing(self._observations, call):
            try:
                await self._admit(call)
                message = self._read(request)
                if self._body_field is not None:
                    await decode_body(getattr(message, self._body_field), call.metadata)
                answer: Message = await self._handler(message, call)
                return answer.SerializeToString()
            except (grpc.aio.AbortError, asyncio.CancelledError):
                raise
            except Exception as error:
                headers = initial_metadata(error)
                if headers:
                    await call.context.send_initial_metadata(headers)
                await call.context.write(self._body_of(error, request))
                await self._reject(error, call, started, answered=True)
        raise AssertionError("abort raises")

    def _body_of(self, error: Exception, request: bytes) -> bytes:
        if self._error_body is None:
            raise TypeError("the servicer has no bodies of errors")
        try:
            message = self._parse(request)
        except InvalidArgument:
            message = None
        return self._error_body(status_of(error, self._field_names), message).SerializeToString()

    async def _admit(self, call: Call) -> None:
        self._arrivals.let_in()
        # A caller whose role is rejected is known to the log.
        call.known_caller = await credentials.find_caller(
            self._access, call.metadata, self._authenticator
        )
        if call.known_caller is not None:
            self._count(call.known_caller)
        credentials.check_role(self._access, call.known_caller)
        self._parameters.check(call.metadata)

    def _count(self, caller: Caller) -> None:
        try:
            self._rates.take_request(caller)
        except LimitExceeded:
            for tell in self._on_limited:
                tell(caller)
            raise

    def _answers(self, request: Any, call: Call) -> AsyncGenerator[Message, None]:
        answers: AsyncGenerator[Message, None]
        if call.known_caller is None:
            answers = self._handler(self._read(request), call)
        else:
            standing = Standing(
                lambda: credentials.find_caller(self._access, call.metadata, self._authenticator)
            )
            if self._client_streaming:
                # Nothing is answered that was not asked.
                answers = self._handler(standing.requests(self._read_each(request)), call)
            else:
                answers = standing.answers(self._handler(self._parse(request), call))
        return answers

    def _read(self, request: Any) -> Any:
        if self._client_streaming:
            return self._read_each(request)
        return self._parse(request)

    async def _read_each(self, requests: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        async for request in requests:
            yield self._parse(request)

    def _parse(self, data: bytes) -> Message:
        try:
            message: Message = self._request_type.FromString(data)
        except DecodeError:
            raise InvalidArgument("Malformed request") from None
        return message

    async def _reject(
        self, error: Exception, call: Call, started: float, *, answered: bool = False
    ) -> None:
        status = status_of(error, self._field_names)
        call.ended_with = CODES[status.code]
        known = isinstance(error, VumeterError)
        _log.log(
            20 if known else 40,
            "call_refused",
            method=self._name,
            request_id=call.request_id,
            key_id=call.known_caller.key_id if call.known_caller else None,
            code=status.code,
            message=status.message,
            milliseconds=round((time.perf_counter() - started) * 1000, 3),
            exc_info=None if known and error.__cause__ is None else error,
        )
        headers = initial_metadata(error, is_stream=self._is_stream)
        if headers and not answered:
            # Envoy turns initial metadata into headers of the REST answer; they go before the
            # first message, and after it there is RetryInfo among the details.
            await call.context.send_initial_metadata(headers)
        await call.context.abort(
            CODES[status.code],
            status.message,
            (
                ("x-request-id", call.request_id),
                ("grpc-status-details-bin", status.SerializeToString()),
                *trailing_metadata(error),
            ),
        )
