"""What is done beside calls: stuck calls are closed, peaks worked out, old events forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.periodic import run_periodically
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

    async def keep_closing(self) -> NoReturn:
        """Close stuck calls until cancelled."""
        await run_periodically(
            "close_stuck_calls", self.close_stuck_calls, every_seconds=STUCK_CHECKED_EVERY_SECONDS
        )

    async def keep_forgetting(self) -> NoReturn:
        """Forget old events until cancelled."""
        await run_periodically(
            "forget_old_events", self.forget_old_events, every_seconds=FORGOTTEN_EVERY_SECONDS
        )

    async def keep_working_out(self) -> NoReturn:
        """Compute peaks until cancelled."""
        await run_periodically(
            "work_out_peaks", self.work_out_peaks, every_seconds=PEAKS_WORKED_OUT_EVERY_SECONDS
        )
