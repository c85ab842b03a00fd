"""The port for callers without an event loop, such as commands: each call has a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias, TypeVar

from vumeter_server.clickhouse.port import ClickHouse

T = TypeVar("T")

Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[ClickHouse]]


class BlockingClickHouse:
    """Runs what asks ClickHouse, with connections of its own, and waits for it."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    def run(self, ask: Callable[[ClickHouse], Awaitable[T]]) -> T:
        """Return what `ask` returns."""

        async def opened() -> T:
            async with self._opening() as clickhouse:
                return await ask(clickhouse)

        # The caller may stand on a loop that runs.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, opened()).result()
