"""Turns: of all servers on a store that were started with demo data, one does a thing at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from vumeter_server.demo.record import DemoRecord
from vumeter_server.errors import DeadlineExceeded, Unavailable
from vumeter_server.runtime.patience import patiently
from vumeter_server.runtime.start_error import StartError

T = TypeVar("T")

COUNTS_FOR_SECONDS: Final = 30.0
"""How long after its last word a process has a turn still."""
KEPT_EVERY_SECONDS: Final = 10.0
LOOKS_EVERY_SECONDS: Final = 2.0
GIVEN_UP_WITHIN_SECONDS: Final = 3.0
"""A product that ends waits no longer; then its turn counts until it is too old."""

RETRY_AFTER_SECONDS: Final = (0.5, 1.0, 2.0)
"""A store that is busy has time again within these; what is repeated doubles nothing."""

NOT_NOW: Final = (Unavailable, DeadlineExceeded, StartError)
"""A store that does not answer, also when it is opened."""


async def asked(ask: Callable[[], T]) -> T:
    """Return what a store answers, asked again if it is busy."""
    return await patiently(lambda: asyncio.to_thread(ask), RETRY_AFTER_SECONDS)


@contextlib.asynccontextmanager
async def having_turn(
    record: DemoRecord, turn: str, *, on_wait: Callable[[], None] = lambda: None
) -> AsyncIterator[asyncio.Task[None]]:
    """Have a turn for the length of the context, as soon as no other process has it.

    Gives a task that ends if the turn is lost. `on_wait` is called once if it has to be waited for.
    Raises what `record` raises.
    """
    is_told = False
    while not await asked(lambda: record.take_turn(turn)):
        if not is_told:
            on_wait()
        is_told = True
        await asyncio.sleep(LOOKS_EVERY_SECONDS)
    keeping = asyncio.create_task(_keep(record, turn))
    try:
        yield keeping
    finally:
        keeping.cancel()
        with contextlib.suppress(*NOT_NOW, TimeoutError):
            async with asyncio.timeout(GIVEN_UP_WITHIN_SECONDS):
                await asyncio.to_thread(record.give_up_turn, turn)


async def _keep(record: DemoRecord, turn: str) -> None:
    """Keep a turn until another process has it."""
    while True:
        await asyncio.sleep(KEPT_EVERY_SECONDS)
        with contextlib.suppress(*NOT_NOW):
            if not await asyncio.to_thread(record.take_turn, turn):
                return
