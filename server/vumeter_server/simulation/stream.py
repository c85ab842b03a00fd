"""Recording from a stream: several batches at work, answered in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

Batch = TypeVar("Batch")
Answer = TypeVar("Answer")

MAX_AT_WORK = 16


async def answered_in_order(
    batches: AsyncIterator[Batch], record: Callable[[Batch], Awaitable[Answer]]
) -> AsyncIterator[Answer]:
    """Yield what `record` returns for each batch, in order, with up to 16 of them at work.

    The batches begin in order, so that of two reports in different batches the later wins. The
    first failure, of a batch or of the stream itself, is raised once what came before it was
    yielded.
    """
    # One answer is awaited and one batch waits for room beside those in the queue.
    at_work: asyncio.Queue[asyncio.Future[Answer] | None] = asyncio.Queue(MAX_AT_WORK - 2)

    async def begin_each() -> None:
        try:
            async for batch in batches:
                await at_work.put(asyncio.ensure_future(record(batch)))
        except Exception as error:
            failed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            await at_work.put(failed)
        await at_work.put(None)

    reading = asyncio.create_task(begin_each())
    try:
        while (answer := await at_work.get()) is not None:
            yield await answer
    finally:
        reading.cancel()
        left = [reading]
        while not at_work.empty():
            if (answer := at_work.get_nowait()) is not None:
                answer.cancel()
                left.append(answer)  # type: ignore[arg-type]
        await asyncio.gather(*left, return_exceptions=True)
