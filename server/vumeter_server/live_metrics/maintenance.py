"""Work that is done beside calls: close stuck calls, compute peaks, drop old events."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import structlog

from vumeter_server.access.audit import AuditLog
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.runtime.actors import SERVER
from vumeter_server.runtime.clock_guard import ClockGuard
from vumeter_server.runtime.periodic import run_periodically
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import DAY_US

CLOSE_STUCK_EVERY_SECONDS: Final = 1.0
DELETE_TENANTS_EVERY_SECONDS: Final = 1.0
COMPUTE_PEAKS_EVERY_SECONDS: Final = 5.0
DROP_OLD_EVERY_SECONDS: Final = 600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PeriodicStep:
    """A step that is done every `every_seconds`; what it raises must not end that."""

    name: str
    step: Callable[[], Coroutine[Any, Any, None]]
    every_seconds: float

    async def run_forever(self) -> NoReturn:
        """Do the step now and then again and again, until this is cancelled."""
        await run_periodically(self.name, self.step, every_seconds=self.every_seconds)


@dataclass(kw_only=True, slots=True, eq=False)
class LiveMaintenance:
    """The steps of the periodic work on a store, each a plain coroutine."""

    store: LiveStore
    audit: AuditLog
    guard: ClockGuard
    call_ttl_us: int
    retention_days: int
    _noted_on: int | None = field(default=None, init=False)
    """The day on which the audit noted last that events are dropped."""

    async def close_stuck_calls(self) -> None:
        """Close calls of which no event was received for too long, by a clock that is trusted."""
        silent_since_us = self.guard.silent_since_us(self.call_ttl_us)
        if silent_since_us is None:
            return
        closed = await self.store.close_stuck(silent_since_us)
        if closed:
            _log.info("stuck_calls_closed", calls=closed)

    async def drop_old_events(self) -> None:
        """Drop events that were received too long ago, by a clock that is trusted.

        The audit notes the first ones of each day: some are dropped every few minutes.
        """
        now_us = self.guard.deletion_us()
        if now_us is None:
            return
        before_us, today = now_us - self.retention_days * DAY_US, now_us // DAY_US
        if today != self._noted_on and await self.store.has_received_before(before_us):
            await self.audit.append(
                SERVER,
                "retention.drop_events",
                details={"received_before": format_rfc3339(before_us)},
            )
            self._noted_on = today
        await self.store.drop_received_before(before_us)

    async def compute_peaks(self) -> None:
        """Compute the peaks of history that changed."""
        while await self.store.compute_peaks():
            pass

    @property
    def steps(self) -> tuple[PeriodicStep, ...]:
        """All of it, with how often each step is done."""
        return (
            PeriodicStep(
                name="close_stuck_calls",
                step=self.close_stuck_calls,
                every_seconds=CLOSE_STUCK_EVERY_SECONDS,
            ),
            PeriodicStep(
                name="delete_live_tenants",
                step=self.store.finish_deletions,
                every_seconds=DELETE_TENANTS_EVERY_SECONDS,
            ),
            PeriodicStep(
                name="drop_old_live_events",
                step=self.drop_old_events,
                every_seconds=DROP_OLD_EVERY_SECONDS,
            ),
            PeriodicStep(
                name="compute_live_peaks",
                step=self.compute_peaks,
                every_seconds=COMPUTE_PEAKS_EVERY_SECONDS,
            ),
        )
