"""Whether the machine's clock can be trusted with what it alone decides: deletion and closing.

A board without a battery, a resumed virtual machine or a typo can move the clock by years. Nothing
is deleted, and no silent call is closed, on the word of one reading: the clock is compared with the
last time that the server saw, which is kept in the database, and while the server runs with the
machine's monotonic clock, which nobody can set.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from vumeter_server.runtime.clock import Clock
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US

CHECKED_EVERY_SECONDS: Final = 1.0
SAVED_EVERY_US: Final = MINUTE_US
MAX_AHEAD_AT_START_US: Final = 2 * DAY_US
MAX_JUMP_US: Final = HOUR_US
# After running on for so long, a clock that was not trusted is taken to be right.
TRUSTED_AGAIN_AFTER_US: Final = DAY_US

_log = structlog.get_logger(__name__)


def monotonic_clock() -> int:
    """Return microseconds since some moment; never set back or ahead, stands still in suspend."""
    return time.monotonic_ns() // 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockRecord:
    """What the database keeps of the clock.

    Attributes:
        seen_us: the latest time that was read from a trusted clock, microseconds since the epoch.
        untrusted_for_us: how long servers have run with a clock that is not trusted; 0 if it is.
    """

    seen_us: int
    untrusted_for_us: int = 0


class ClockRecordStore(Protocol):
    """Keeps the record of the clock from start to start; every store has one."""

    async def read(self) -> ClockRecord | None:
        """Return what was saved last, None in a database that never saw a time."""

    async def save(self, record: ClockRecord, *, may_go_back: bool = False) -> None:
        """Keep `record` in place of the earlier one; of two times the later, unless `may_go_back`.

        So a server whose clock is late takes nothing away from what others saw.
        """

    async def take_acceptance(self) -> bool:
        """Return whether an operator accepted the clock since this was asked last."""


class ClockAdministration(Protocol):
    """What the commands ask of storage, beside a running server or without one."""

    def record(self) -> ClockRecord | None:
        """Return what was saved last, None in a database that never saw a time."""

    def accept(self) -> None:
        """Let each running server, or else the next one, know that the machine's clock is right."""


class ClockGuard:
    """Decides whether the clock is trusted. It belongs to one thread.

    The clock is trusted while it stands within an hour of where it is expected: the last trusted
    reading plus what the monotonic clock ran since. So a jump that is undone leaves no trace.

    A clock that stands before the record when a server starts is late, as that of a board without
    a battery is until it hears of the time. It deletes nothing, so it is trusted; a jump to where
    the record says that it should be, up to two days later, puts it right and is no jump.
    """

    def __init__(
        self, clock: Clock, record: ClockRecord | None, monotonic: Clock = monotonic_clock
    ) -> None:
        """Judge the first reading by `record`: over two days ahead of it is not trusted."""
        self._clock = clock
        self._monotonic = monotonic
        now_us, steady_us = clock(), monotonic()
        self._trusted_us, self._trusted_steady_us = now_us, steady_us
        self._last_us, self._last_steady_us = now_us, steady_us
        # Never ahead of the clock, and never faster than the monotonic clock.
        self._slow_us = now_us
        self._untrusted_for_us = 0
        self._is_trusted = True
        self._max_jump_us = MAX_JUMP_US
        self._silence_counts_from_us: int | None = None
        self._seen_us = now_us
        # While the clock is late: the record, less the monotonic clock at the start.
        self._late_from_us: int | None = None
        if record is None:
            return
        ahead_us = now_us - record.seen_us
        if ahead_us > MAX_AHEAD_AT_START_US:
            self._trusted_us = self._seen_us = record.seen_us
            # How long the server was down is not known: up to two days later is no jump.
            self._max_jump_us = MAX_AHEAD_AT_START_US
            self._untrusted_for_us = record.untrusted_for_us
            self._distrust(now_us)
        elif ahead_us < 0:
            self._seen_us = record.seen_us
            self._late_from_us = record.seen_us - steady_us
            _log.warning(
                "clock_behind",
                now=format_rfc3339(now_us),
                last_seen=format_rfc3339(record.seen_us),
                advice="set the clock, or run `vumeter clock accept` if it is right",
            )

    @property
    def is_trusted(self) -> bool:
        """Whether the clock was trusted when it was checked last."""
        return self._is_trusted

    def deletion_us(self) -> int | None:
        """Return the time by which things may be deleted as too old, None while none may be.

        It never runs faster than the monotonic clock: a small step ahead deletes nothing early.
        """
        self.check()
        return self._slow_us if self._is_trusted else None

    @property
    def trusted_us(self) -> int:
        """The last trusted reading; right after the start, the record's if the clock is not."""
        return self._trusted_us

    @property
    def expected_us(self) -> int:
        """Where the clock should stand: the last trusted reading and what ran since."""
        return self._trusted_us + self._monotonic() - self._trusted_steady_us

    @property
    def offset_us(self) -> int:
        """How far the clock is ahead of where it should stand, negative if it is behind."""
        return self._clock() - self.expected_us

    def check(self) -> None:
        """Read the clock and decide again; to be called about once a second."""
        now_us, steady_us = self._clock(), self._monotonic()
        ran_us = steady_us - self._last_steady_us
        jumped_us = now_us - self._last_us - ran_us
        self._last_us, self._last_steady_us = now_us, steady_us
        self._slow_us = min(now_us, self._slow_us + ran_us)
        off_us = now_us - self.expected_us
        if self._is_put_right(now_us, steady_us, off_us):
            _log.warning("clock_put_right", now=format_rfc3339(now_us))
            self._trust()
            return
        if -MAX_JUMP_US <= off_us <= self._max_jump_us:
            if not self._is_trusted:
                self._trust_again()
            self._seen_us = max(self._seen_us, now_us)
            self._trusted_us, self._trusted_steady_us = now_us, steady_us
            return
        if self._is_trusted:
            self._distrust(now_us)
            return
        # Another jump begins another run.
        self._untrusted_for_us = 0 if abs(jumped_us) > MAX_JUMP_US else self._untrusted_for_us
        self._untrusted_for_us += ran_us
        if self._untrusted_for_us >= TRUSTED_AGAIN_AFTER_US:
            self._trust_again()

    def accept(self) -> None:
        """Trust the clock as it stands now on an operator's word, and see no later time before it.

        Silence of calls counts from this moment if the clock was not trusted.
        """
        if not self._is_trusted:
            self._trust_again()
        self._trusted_us, self._trusted_steady_us = self._clock(), self._monotonic()
        self._seen_us = self._trusted_us
        self._late_from_us = None

    def silent_since_us(self, ttl_us: int) -> int | None:
        """Return the time since which a call must have been silent to be closed.

        None while no call may be closed: the clock is not trusted, or is again for less than
        `ttl_us`. No small step of the clock closes a call early.
        """
        now_us = self.deletion_us()
        from_us = self._silence_counts_from_us
        if now_us is None or (from_us is not None and self._monotonic() - from_us < ttl_us):
            return None
        return now_us - ttl_us

    def record(self) -> ClockRecord:
        """Return what is to be saved: the latest time seen, never that of a clock not trusted."""
        return ClockRecord(seen_us=self._seen_us, untrusted_for_us=self._untrusted_for_us)

    def _is_put_right(self, now_us: int, steady_us: int, off_us: int) -> bool:
        """Whether a late clock has jumped near to the record, and what ran since the start."""
        if self._late_from_us is None:
            return False
        ahead_us = now_us - self._late_from_us - steady_us
        is_near = -MAX_JUMP_US <= ahead_us <= MAX_AHEAD_AT_START_US
        if is_near and ahead_us >= 0:
            self._late_from_us = None
        return is_near and off_us > MAX_JUMP_US

    def _trust_again(self) -> None:
        _log.warning("clock_trusted_again", now=format_rfc3339(self._clock()))
        self._trust()

    def _trust(self) -> None:
        """Take the clock as it stands now. Silence of calls counts from this moment."""
        self._is_trusted = True
        self._untrusted_for_us = 0
        self._max_jump_us = MAX_JUMP_US
        self._slow_us = self._clock()
        self._trusted_us, self._trusted_steady_us = self._clock(), self._monotonic()
        self._silence_counts_from_us = self._trusted_steady_us
        self._seen_us = max(self._seen_us, self._trusted_us)

    def _distrust(self, now_us: int) -> None:
        self._is_trusted = False
        _log.error(
            "clock_not_trusted",
            now=format_rfc3339(now_us),
            expected=format_rfc3339(self.expected_us),
            paused="deletion of what is old and the closing of silent calls",
            advice="set the clock, or run `vumeter clock accept` if it is right",
        )


class ClockKeeping:
    """Checks the clock each second and keeps its record, once a minute."""

    def __init__(
        self, guard: ClockGuard, store: ClockRecordStore, monotonic: Clock = monotonic_clock
    ) -> None:
        self._guard = guard
        self._store = store
        self._monotonic = monotonic
        self._saved_at_us: int | None = None
        self._was_trusted = guard.is_trusted
        self._may_go_back = False

    async def step(self) -> None:
        """Check the clock, take an operator's word for it, save what is due."""
        if await self._store.take_acceptance():
            self._guard.accept()
            self._may_go_back = True
        self._guard.check()
        now_us = self._monotonic()
        is_due = self._saved_at_us is None or now_us - self._saved_at_us >= SAVED_EVERY_US
        if is_due or self._may_go_back or self._guard.is_trusted != self._was_trusted:
            await self._store.save(self._guard.record(), may_go_back=self._may_go_back)
            self._may_go_back = False
            self._saved_at_us, self._was_trusted = now_us, self._guard.is_trusted
