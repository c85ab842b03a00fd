"""Asking a store again that does not answer, or not in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import structlog

from vumeter_server.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")

RETRY_AFTER_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""A store that restarts is back within these; then the work goes on by itself."""

_log = structlog.get_logger(__name__)


async def patiently(
    ask: Callable[[], Awaitable[T]], after_seconds: Sequence[float] = RETRY_AFTER_SECONDS
) -> T:
    """Return what `ask` returns, asked again for some time while a store does not answer."""
    for seconds in after_seconds:
        try:
            return await ask()
        except (Unavailable, DeadlineExceeded):
            _log.warning("storage_does_not_answer", trying_again_after_seconds=seconds)
            await asyncio.sleep(seconds)
    return await ask()
