"""Streams of batches: many in flight, answered one by one in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

import structlog
from google.rpc.status_pb2 import Status

from vumeter_server.api.error_table import status_of
from vumeter_server.errors import VumeterError

R = TypeVar("R")

_log = structlog.get_logger(__name__)


async def answer_in_order(
    requests: AsyncIterator[R],
    record: Callable[[R], Awaitable[int]],
    in_flight: int,
    field_names: Mapping[str, str],
) -> AsyncIterator[tuple[int, int, Status | None]]:
    """Record each request, up to `in_flight` at a time, and yield its answers in order.

    An answer is its number from 1, how much was recorded and None, or 0 and the status of what was
    raised; one refused batch does not end the stream. No further request is read while `in_flight`
    are unanswered, so a sender that does not read its answers is held back.
    """
    started: asyncio.Queue[asyncio.Task[int] | None] = asyncio.Queue(in_flight)

    async def start_each() -> None:
        try:
            async for request in requests:
                await started.put(asyncio.ensure_future(record(request)))
        finally:
            await started.put(None)

    reading = asyncio.create_task(start_each())
    try:
        sequence = 0
        while (task := await started.get()) is not None:
            sequence += 1
            try:
                yield sequence, await task, None
            except VumeterError as error:
                yield sequence, 0, status_of(error, field_names)
            except Exception as error:
                _log.exception("batch_failed")
                yield sequence, 0, status_of(error, field_names)
        await reading
    finally:
        reading.cancel()
        while not started.empty():
            if (task := started.get_nowait()) is not None:
                task.cancel()
