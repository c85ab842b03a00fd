"""Long work is offloaded to a thread: parsing large batches, rendering large answers.

Parsing a batch of 1,000 points takes 2 to 4 ms, rendering an answer of 10,000 cells 5 ms, and on
the event loop every other call would wait for it. Small work is done on the event loop, since
handing it to a thread and waking the loop again would take longer than the work.

An `Offload` is shared by all callers of one kind of work:

    prepared = await PARSING.run(lambda: parse(request), size=len(request.events))
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


class Offload:
    """Runs work of one kind on one thread, in order; small work on the event loop.

    It has one thread, because several would share the interpreter and wait for each other. Quick
    queries have priority over it.
    """

    def __init__(self, name: str, *, from_size: int) -> None:
        """Offload work of at least `from_size`; `name` is shown in the name of the thread."""
        self._from_size = from_size
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, f"vumeter-{name}", initializer=give_way)

    async def run(self, work: Callable[[], T], *, size: int) -> T:
        """Return what `work` returns, or raise what it raises.

        `size` is how much there is to do, in the unit of `from_size`. Work is done in the order of
        the calls: small work does not overtake large work that waits. `work` must touch nothing
        that belongs to the event loop.

        Raises Unavailable if 1,000 calls wait already.
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


PARSING: Final = Offload("parsing", from_size=200)
"""Parses and checks what is recorded, of every family; the size is in points or events."""
RENDERING: Final = Offload("rendering", from_size=1_000)
"""Orders and renders answers, of every family; the size is in cells (rows x metrics)."""
