"""What takes long is done beside the event loop: reading large batches, writing large answers.

A batch of 1,000 points takes 2 to 4 ms to read, an answer of 10,000 cells 5 ms to write, for which
every other call would wait. What is small is done where it is asked, since handing it to a thread
and waking the loop again would take longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from vumeter_server.errors import Unavailable
from vumeter_server.runtime.priorities import give_way

T = TypeVar("T")

MAX_WAITING: Final = 1_000


class Aside:
    """One thread, since several would wait for each other: they share the interpreter.

    Quick queries go before it.
    """

    def __init__(self, name: str, *, from_size: int) -> None:
        self._from_size = from_size
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, f"vumeter-{name}", initializer=give_way)

    async def run(self, work: Callable[[], T], *, size: int) -> T:
        """Return what `work` returns; all is done in the order in which it was asked for.

        Raises Unavailable if too much waits.
        """
        if size < self._from_size and not self._waiting:
            return work()
        if self._waiting >= MAX_WAITING:
            raise Unavailable("The server is busy")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


BATCHES: Final = Aside("batches", from_size=200)
"""Reads batches; their size is in points."""
ANSWERS: Final = Aside("answers", from_size=1_000)
"""Orders and writes answers; their size is in cells."""
