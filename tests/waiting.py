"""Waiting by polling: the one place that does it, for threads and for an event loop."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

SECONDS = 30.0
EVERY_SECONDS = 0.02


def until(
    holds: Callable[[], bool], *, seconds: float = SECONDS, every_seconds: float = EVERY_SECONDS
) -> float:
    """Wait until something holds; return how long that took. It fails after `seconds`."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, f"it did not come to hold in {seconds} seconds"
        # Between two looks, so that waiting does not take the processor from what is waited for.
        time.sleep(every_seconds)
    return time.monotonic() - started


async def comes_to_hold(
    holds: Callable[[], bool | Awaitable[bool]],
    *,
    seconds: float = SECONDS,
    every_seconds: float = EVERY_SECONDS,
) -> None:
    """Do as `until` without holding up the loop; `holds` may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if await found if inspect.isawaitable(found) else found:
            return
        assert time.monotonic() < deadline, f"it did not come to hold in {seconds} seconds"
        await asyncio.sleep(every_seconds)
