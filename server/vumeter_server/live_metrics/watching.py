"""Watching: figures told to each watcher as they change, at a pace of the watcher's own.

A watcher holds a flag and nothing else: however much changes while it reads or sleeps, there is one
next update, the figures as they are by then. So a slow one costs nothing and holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from vumeter_server.live_metrics.live_view import Board, Figures

KEEPALIVE_SECONDS: Final = 15.0


async def watch(
    board: Board,
    tenant_id: str | None,
    max_per_second: float,
    *,
    keepalive_seconds: float = KEEPALIVE_SECONDS,
) -> AsyncGenerator[Figures, None]:
    """Give the figures now, whenever they changed, and after some seconds if they did not.

    Ends when the board closes.
    """
    loop = asyncio.get_running_loop()
    with board.watching(tenant_id) as changed:
        while not board.closing.is_set():
            changed.clear()
            yield board.figures(tenant_id)
            pause_until = loop.time() + 1 / max_per_second
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(keepalive_seconds):
                    await changed.wait()
            if not board.closing.is_set():
                await asyncio.sleep(max(0.0, pause_until - loop.time()))
