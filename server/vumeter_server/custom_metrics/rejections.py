"""Counts what is rejected of recordings, in memory until it is saved: rejecting has to be cheap."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from vumeter_server.access.authenticator import Caller
from vumeter_server.custom_metrics.exported import Reason, RejectedPoint
from vumeter_server.custom_metrics.usage_store import (
    RecordingRejectionReason,
    RejectionCount,
    UsageStore,
)
from vumeter_server.custom_metrics.validation import AHEAD_PROBLEM
from vumeter_server.errors import (
    BodyTooLarge,
    InvalidArgument,
    LimitExceeded,
    Unavailable,
    UnsupportedEncoding,
    VumeterError,
)
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.periodic import run_periodically

MAX_COUNTS: Final = 10_000
"""So many counts wait to be saved at most; what is beyond them is not counted."""
SAVED_EVERY_SECONDS: Final = 1.0

_OF_EXPORTED: Final = {
    Reason.TIME: RecordingRejectionReason.CLOCK,
    Reason.TYPE: RecordingRejectionReason.TYPE,
    Reason.LIMIT: RecordingRejectionReason.LIMIT,
}

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Attempt:
    """A recording under way; `points` is how many it holds, once they are read."""

    points: int = 0


@dataclass(slots=True)
class _Count:
    requests: int = 0
    points: int = 0
    last_us: int = 0


class RejectionCounter:
    """What was rejected of all organizations since it was saved last."""

    def __init__(
        self,
        store: UsageStore,
        clock: Clock,
        on_rejected: Callable[[RecordingRejectionReason, int], None] = lambda reason, points: None,
        deletion_us: Callable[[], int | None] | None = None,
    ) -> None:
        """Take what keeps the counts; `on_rejected` gets each reason with its points.

        `deletion_us` returns the time by which old data may be deleted, None while the machine's
        clock is not trusted; without it that is `clock`.
        """
        self._store = store
        self._clock = clock
        self._on_rejected = on_rejected
        self._deletion_us = deletion_us or clock
        self._counts: dict[tuple[int, str, RecordingRejectionReason], _Count] = {}

    @contextlib.contextmanager
    def counted(self, caller: Caller) -> Iterator[Attempt]:
        """Count a recording if it is rejected in this context."""
        attempt = Attempt()
        try:
            yield attempt
        except VumeterError as error:
            reason = reason_of(error)
            if reason is not None:
                self.add(caller, reason, attempt.points)
            raise

    def add(self, caller: Caller, reason: RecordingRejectionReason, points: int) -> None:
        """Count a request that was rejected, or some points of it."""
        self._on_rejected(reason, points)
        key = (caller.organization_id, caller.key_id, reason)
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= MAX_COUNTS:
                return
            count = self._counts[key] = _Count()
        count.requests += 1
        count.points += points
        count.last_us = self._clock()

    def add_exported(self, caller: Caller, rejected: Iterable[RejectedPoint]) -> None:
        """Count the points that were rejected of an export; the export is one request a reason."""
        by_reason: dict[RecordingRejectionReason, int] = {}
        for each in rejected:
            reason = _OF_EXPORTED.get(each.reason, RecordingRejectionReason.MALFORMED)
            by_reason[reason] = by_reason.get(reason, 0) + 1
        for reason, points in by_reason.items():
            self.add(caller, reason, points)

    async def run(self) -> NoReturn:
        """Save what was counted each second, and once more when it is cancelled."""
        try:
            await run_periodically("rejections", self.save, every_seconds=SAVED_EVERY_SECONDS)
        finally:
            await self.save()

    async def save(self) -> None:
        """Save what was counted; what cannot be saved now is saved next time.

        Never raises, unless it is cancelled: nobody waits for it.
        """
        counts, self._counts = self._counts, {}
        if not counts:
            return
        rows = [
            (
                organization_id,
                RejectionCount(
                    reason=reason,
                    key_id=key_id,
                    requests=count.requests,
                    points=count.points,
                    last_us=count.last_us,
                ),
            )
            for (organization_id, key_id, reason), count in counts.items()
        ]
        saved = False
        try:
            await self._store.save_rejections(rows, self._deletion_us())
            saved = True
        except Unavailable:
            _log.info("rejections_put_off", counts=len(rows))
        except Exception:
            _log.exception("rejections_put_off", counts=len(rows))
        finally:
            if not saved:
                self._put_back(counts)

    def _put_back(self, counts: dict[tuple[int, str, RecordingRejectionReason], _Count]) -> None:
        meanwhile, self._counts = self._counts, counts
        for key, count in meanwhile.items():
            earlier = counts.setdefault(key, _Count())
            earlier.requests += count.requests
            earlier.points += count.points
            earlier.last_us = count.last_us


def reason_of(error: VumeterError) -> RecordingRejectionReason | None:
    """Return why a recording was rejected; None for what is not the fault of what was sent."""
    if isinstance(error, LimitExceeded):
        return RecordingRejectionReason.LIMIT
    if isinstance(error, (BodyTooLarge, UnsupportedEncoding)):
        return RecordingRejectionReason.MALFORMED
    if not isinstance(error, InvalidArgument):
        return None
    for violation in error.violations[:1]:
        if violation.problem == AHEAD_PROBLEM:
            return RecordingRejectionReason.CLOCK
        if violation.field.endswith(".type"):
            return RecordingRejectionReason.TYPE
    return RecordingRejectionReason.MALFORMED
