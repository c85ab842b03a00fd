"""What is done beside calls: stuck calls are closed, peaks worked out, old events forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import structlog

from vumeter_server.errors import Unavailable
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.runtime.clock import Clock
from vumeter_server.times.units import DAY_US

STUCK_CHECKED_EVERY_SECONDS: Final = 1.0
PEAKS_WORKED_OUT_EVERY_SECONDS: Final = 5.0
FORGOTTEN_EVERY_SECONDS: Final = 600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """The periodic work on a store."""

    store: LiveStore
    clock: Clock
    call_ttl_us: int
    retention_days: int

    async def close_stuck_calls(self) -> None:
        """Close calls of which nothing was received for too long."""
        closed = await self.store.close_stuck(self.clock() - self.call_ttl_us)
        if closed:
            _log.info("stuck_calls_closed", calls=closed)

    async def forget_old_events(self) -> None:
        """Forget events that were received too long ago."""
        await self.store.drop_received_before(self.clock() - self.retention_days * DAY_US)

    async def work_out_peaks(self) -> None:
        """Work out the peaks of history that changed."""
        while await self.store.work_out_peaks():
            pass

    async def keep_closing(self) -> None:
        """Close stuck calls for ever."""
        await _every(STUCK_CHECKED_EVERY_SECONDS, self.close_stuck_calls)

    async def keep_forgetting(self) -> None:
        """Forget old events for ever."""
        await _every(FORGOTTEN_EVERY_SECONDS, self.forget_old_events)

    async def keep_working_out(self) -> None:
        """Work out peaks for ever."""
        await _every(PEAKS_WORKED_OUT_EVERY_SECONDS, self.work_out_peaks)


async def _every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await work()
        except Unavailable as error:
            # The storage is full or busy; what was to be done is still to be done next time.
            _log.warning("upkeep_put_off", work=work.__name__, error=error.message)
        except Exception:
            _log.exception("upkeep_failed", work=work.__name__)
        await asyncio.sleep(seconds)
