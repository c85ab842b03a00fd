"""A machine with clocks that a test sets, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass

from vumeter_server.runtime.clock_guard import ClockGuard, ClockRecord
from vumeter_server.times.units import HOUR_US

NOON = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
TTL = 4 * HOUR_US


@dataclass
class Machine:
    """A machine whose clock can be set, and whose monotonic clock cannot."""

    now_us: int = NOON
    steady_us: int = 5 * HOUR_US

    def runs(self, us: int) -> None:
        self.now_us += us
        self.steady_us += us

    def guard(self, record: ClockRecord | None = None) -> ClockGuard:
        return ClockGuard(lambda: self.now_us, record, lambda: self.steady_us)


def seen(us: int, untrusted_for_us: int = 0) -> ClockRecord:
    return ClockRecord(seen_us=us, untrusted_for_us=untrusted_for_us)


class Records:
    """Keeps the record in memory."""

    def __init__(self) -> None:
        self.saved: list[ClockRecord] = []
        self.went_back: list[bool] = []
        self.is_accepted = False

    async def read(self) -> ClockRecord | None:
        return self.saved[-1] if self.saved else None

    async def save(self, record: ClockRecord, *, may_go_back: bool = False) -> None:
        self.saved.append(record)
        self.went_back.append(may_go_back)

    async def take_acceptance(self) -> bool:
        taken, self.is_accepted = self.is_accepted, False
        return taken
