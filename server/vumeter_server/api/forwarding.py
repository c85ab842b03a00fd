"""Passes calls on to the process that writes, unopened.

Of several server processes one writes. The others answer queries; whatever else they are asked they
pass on, with its metadata and deadline, and give back what comes, so that every process can be
asked everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor

from vumeter_server.api.error_table import (
    HTTP_STATUS,
    RETRY_INFO,
    MetadataPairs,
    initial_metadata,
    status_of,
    trailing_metadata,
)
from vumeter_server.errors import Unavailable

_Context = grpc.aio.ServicerContext[Any, Any]

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # The writer allows pings each 10 seconds.
    ("grpc.keepalive_time_ms", 30_000),
)
DETAILS = "grpc-status-details-bin"
_PASSED_BACK = frozenset(
    {"x-request-id", "retry-after", "accept-encoding", HTTP_STATUS, RETRY_INFO, DETAILS}
)


class Forwarding:
    """Handlers that pass calls on to the server at `target`."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    def handler(
        self, method: MethodDescriptor, *, as_stream: bool = False
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Return grpc's handler for `method`; `as_stream` says that its one answer is a stream."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        channel = self._channel
        if method.server_streaming or as_stream:
            if method.client_streaming:
                streaming = _streaming(channel.stream_stream(path))
                return grpc.stream_stream_rpc_method_handler(streaming)
            return grpc.unary_stream_rpc_method_handler(_streaming(channel.unary_stream(path)))
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(_unary(channel.stream_unary(path)))
        return grpc.unary_unary_rpc_method_handler(_unary(channel.unary_unary(path)))


def _unary(ask: Callable[..., Any]) -> Callable[[Any, _Context], Any]:
    async def handler(request: Any, context: _Context) -> bytes:
        call = ask(request, metadata=_passed_on(context), timeout=context.time_remaining())
        try:
            answer: bytes = await call
            context.set_trailing_metadata(_of_ours(await call.trailing_metadata()))
        except grpc.aio.AioRpcError as error:
            await _fail(error, context)
            raise
        return answer

    return handler


def _streaming(ask: Callable[..., Any]) -> Callable[[Any, _Context], AsyncIterator[bytes]]:
    async def handler(request: Any, context: _Context) -> AsyncIterator[bytes]:
        call = ask(request, metadata=_passed_on(context), timeout=context.time_remaining())
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            await _fail(error, context)
        finally:
            call.cancel()

    return handler


async def _fail(error: grpc.aio.AioRpcError, context: _Context) -> None:
    """End the call as the writer did; that it cannot be reached is said in our words."""
    initial = _of_ours(error.initial_metadata())
    if error.code() is grpc.StatusCode.UNAVAILABLE and not _has_details(error):
        unavailable = Unavailable()
        await context.send_initial_metadata(initial_metadata(unavailable))
        status = status_of(unavailable, {})
        await context.abort(
            error.code(),
            unavailable.message,
            ((DETAILS, status.SerializeToString()), *trailing_metadata(unavailable)),
        )
    if initial:
        await context.send_initial_metadata(initial)
    await context.abort(error.code(), error.details() or "", _of_ours(error.trailing_metadata()))


def _has_details(error: grpc.aio.AioRpcError) -> bool:
    return any(name == DETAILS for name, _ in error.trailing_metadata() or ())


def _passed_on(context: _Context) -> MetadataPairs:
    return [
        (name, value)
        for name, value in context.invocation_metadata() or ()
        if not name.startswith(("grpc-", ":")) and name not in ("user-agent", "te")
    ]


def _of_ours(metadata: Any) -> MetadataPairs:
    return tuple((name, value) for name, value in metadata or () if name in _PASSED_BACK)
