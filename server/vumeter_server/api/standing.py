"""A stream goes on for as long as the credential that opened it is good."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

M = TypeVar("M")

CHECKED_EVERY_SECONDS: Final = 0.25
"""With the half second for which answers about keys are cached: within a second."""


class Standing:
    """Checks the credential of one stream again, at most every `CHECKED_EVERY_SECONDS`."""

    def __init__(self, check: Callable[[], Awaitable[Any]]) -> None:
        """Take what raises once the credential is good no more; it was good just now."""
        self._check = check
        self._loop = asyncio.get_running_loop()
        self._next = self._loop.time() + CHECKED_EVERY_SECONDS

    async def check(self) -> None:
        """Raise what the check raises, if it is time to check."""
        if self._loop.time() >= self._next:
            await self._check()
            self._next = self._loop.time() + CHECKED_EVERY_SECONDS

    async def answers(self, answers: AsyncGenerator[M, None]) -> AsyncGenerator[M, None]:
        """Yield each answer, and check also while none comes."""
        following: asyncio.Task[M] | None = None
        try:
            while True:
                following = asyncio.ensure_future(anext(answers))
                while not following.done():
                    await asyncio.wait({following}, timeout=CHECKED_EVERY_SECONDS)
                    await self.check()
                try:
                    answer = following.result()
                except StopAsyncIteration:
                    return
                yield answer
        finally:
            if following is not None:
                following.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await following
            await answers.aclose()

    async def requests(self, requests: AsyncIterator[M]) -> AsyncIterator[M]:
        """Yield each request, unless the credential is good no more when it comes."""
        async for request in requests:
            await self.check()
            yield request
