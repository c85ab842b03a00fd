"""Streams that are acknowledged in steps: many requests in work at once, answered in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")

REQUESTS_AT_ONCE: Final = 32


async def in_steps(
    requests: AsyncIterator[Request],
    work: Callable[[Request], Coroutine[Any, Any, Result]],
    *,
    at_once: int = REQUESTS_AT_ONCE,
) -> AsyncIterator[list[Result]]:
    """Work on requests as they come and give their results, in order, as many as are done.

    While `at_once` are in work no more are read, so that the sender is held back. What is in work
    when the caller goes away is still finished.
    """
    in_work: deque[asyncio.Task[Result]] = deque()
    room = asyncio.Semaphore(at_once)
    more = asyncio.Event()

    async def read() -> None:
        try:
            async for request in requests:
                await room.acquire()
                in_work.append(asyncio.create_task(work(request)))
                more.set()
        finally:
            more.set()

    reader = asyncio.create_task(read())
    try:
        while not reader.done() or in_work:
            if not in_work:
                more.clear()
                await more.wait()
                # The reader wakes us once more right before it is done.
                await asyncio.sleep(0)
                continue
            done = [await asyncio.shield(in_work.popleft())]
            while in_work and in_work[0].done():
                done.append(in_work.popleft().result())
            for _ in done:
                room.release()
            yield done
        await reader
    finally:
        reader.cancel()
