"""Streams acknowledged in steps: what has come in is done together, and answered in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from vumeter_server.errors import Unavailable

Request = TypeVar("Request")
Result = TypeVar("Result")

MAX_WAITING: Final = 10_000
MAX_STEP: Final = 1_000


async def in_steps(
    requests: AsyncIterator[Request],
    size: Callable[[Request], int],
    work: Callable[[list[Request]], Awaitable[list[Result]]],
    ending: asyncio.Event,
) -> AsyncIterator[list[Result]]:
    """Work on requests as they come and give their results, in order.

    What came in while the last step was done is the next step, up to a size of `MAX_STEP` or one
    request: so small requests share one commit. While requests of a size of `MAX_WAITING` wait no
    more are read, so that the sender has to wait (backpressure). Once `ending` is set no more are
    read either; what was read is done, and then Unavailable is raised.
    """
    if ending.is_set():
        raise Unavailable("Shutting down")
    waiting: deque[Request] = deque()
    waiting_size = 0
    read_all = False
    changed, taken = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        nonlocal read_all, waiting_size
        try:
            async for request in requests:
                waiting.append(request)
                waiting_size += size(request)
                changed.set()
                while waiting_size >= MAX_WAITING:
                    taken.clear()
                    await taken.wait()
        finally:
            read_all = True
            changed.set()

    reader = asyncio.create_task(read())
    stopper = asyncio.create_task(_cancel_after(ending, reader))
    try:
        while True:
            step: list[Request] = []
            step_size = 0
            while waiting and (not step or step_size + size(waiting[0]) <= MAX_STEP):
                step.append(waiting.popleft())
                step_size += size(step[-1])
            waiting_size -= step_size
            taken.set()
            if step:
                yield await work(step)
            elif read_all:
                break
            else:
                await changed.wait()
                changed.clear()
        if ending.is_set():
            raise Unavailable("Shutting down")
        # Raises what ended the reading.
        await reader
    finally:
        reader.cancel()
        stopper.cancel()


async def _cancel_after(event: asyncio.Event, task: asyncio.Task[None]) -> None:
    await event.wait()
    task.cancel()
