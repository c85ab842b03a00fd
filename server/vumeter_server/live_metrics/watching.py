"""Watching: each watcher gets the values as they change, at its own pace.

A watcher holds a flag and nothing else. However much changes while it reads or sleeps, there is one
next update: the values at that time. So a slow watcher costs nothing and blocks nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from vumeter_server.live_metrics.live_view import LiveValues, LiveView

KEEPALIVE_SECONDS: Final = 15.0


async def watch(
    view: LiveView,
    tenant_id: str | None,
    max_per_second: float,
    *,
    keepalive_seconds: float = KEEPALIVE_SECONDS,
) -> AsyncGenerator[LiveValues, None]:
    """Yield the values now, whenever they changed, and after some seconds if they did not.

    Ends when the view closes.
    """
    loop = asyncio.get_running_loop()
    with view.watching(tenant_id) as changed:
        while not view.closing.is_set():
            changed.clear()
            yield view.values(tenant_id)
            pause_until = loop.time() + 1 / max_per_second
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(keepalive_seconds):
                    await changed.wait()
            if not view.closing.is_set():
                await asyncio.sleep(max(0.0, pause_until - loop.time()))
