"""Steps of the pipeline that need nothing of it: how a call begins, and how its messages go out."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

import grpc
import grpc.aio
import structlog
from google.protobuf.descriptor import MethodDescriptor

from vumeter_server.api.call import Call

CODES: Final[Mapping[int, grpc.StatusCode]] = {code.value[0]: code for code in grpc.StatusCode}
_HTTP_BODY: Final = "google.api.HttpBody"


def begin(context: grpc.aio.ServicerContext[Any, Any]) -> Call:
    """Give a call its request id: the caller's, or a new one."""
    metadata: dict[str, str | bytes] = dict(context.invocation_metadata() or ())
    given = metadata.get("x-request-id")
    request_id = given[:128] if isinstance(given, str) and given else uuid.uuid4().hex
    context.set_trailing_metadata((("x-request-id", request_id),))
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return Call(request_id=request_id, metadata=metadata, context=context)


@contextlib.contextmanager
def taken_in_time(call: Call) -> Iterator[None]:
    """Cancel the call if the message that is sent within is not taken in time."""
    task = asyncio.current_task()
    if call.taken_within_seconds is None or task is None:
        yield
        return
    timer = asyncio.get_running_loop().call_later(call.taken_within_seconds, task.cancel)
    try:
        yield
    finally:
        timer.cancel()


def body_field(method: MethodDescriptor) -> str | None:
    """Return the field that holds the body of a REST request as it came, if there is one."""
    for each in method.input_type.fields:
        if each.message_type is not None and each.message_type.full_name == _HTTP_BODY:
            name: str = each.name
            return name
    return None
