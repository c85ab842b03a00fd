"""Streams of batches: one protocol for all of them.

Each batch is recorded whole or not at all, and is answered in the order in which it came: alone, or
with those before it that were recorded together with it. How batches are worked on differs: many at
a time, or what has come in together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog
from google.rpc.status_pb2 import Status

from vumeter_server.api.error_table import status_of
from vumeter_server.errors import VumeterError

R = TypeVar("R")

Answer = tuple[int, int, Status | None]
"""What every stream answers: the number, from 1, of the last batch that is answered, how much was
recorded since the answer before, and None; or the number of one batch, 0 and why it was rejected. A
rejected batch does not end the stream."""

_log = structlog.get_logger(__name__)


async def answer_in_order(
    requests: AsyncIterator[R],
    record: Callable[[R], Awaitable[int]],
    in_flight: int,
    field_names: Mapping[str, str],
) -> AsyncIterator[Answer]:
    """Record each request, up to `in_flight` at a time, and yield their answers in order.

    No further request is read while `in_flight` are unanswered, which is the backpressure for a
    sender that does not read its answers.
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


async def answers_of_steps(
    steps: AsyncIterator[Sequence[int | VumeterError]], field_names: Mapping[str, str]
) -> AsyncIterator[Answer]:
    """Yield the answers of batches that were recorded in steps, each of several together.

    Recorded batches that follow each other in a step share an answer: small ones would otherwise
    cost more to answer than to record.
    """
    sequence = 0
    async for results in steps:
        recorded, waiting = 0, False
        for result in results:
            if isinstance(result, VumeterError):
                if waiting:
                    yield sequence, recorded, None
                recorded, waiting = 0, False
                sequence += 1
                yield sequence, 0, status_of(result, field_names)
            else:
                sequence += 1
                recorded, waiting = recorded + result, True
        if waiting:
            yield sequence, recorded, None
