"""Large answers, which are put in order and written beside the event loop.

Writing an answer of 10,000 cells takes some 5 ms, for which every other call would wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from vumeter_server.processes.priorities import give_way

T = TypeVar("T")

# What a smaller answer takes is less than handing it to a thread and waking the loop again.
LARGE_FROM_CELLS: Final = 1_000

# One thread: several would wait for each other, since they share the interpreter.
_writing = ThreadPoolExecutor(1, thread_name_prefix="vumeter-large-answers", initializer=give_way)


async def write(work: Callable[[], T], *, cells: int) -> T:
    """Return what `work` makes of an answer of so many cells; other calls go on meanwhile."""
    if cells < LARGE_FROM_CELLS:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_writing, work)
