"""The time of day as everything in the server reads it: microseconds since the epoch, UTC."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns microseconds since the epoch. Whatever needs the time is given one of these."""


def system_clock() -> int:
    """Return the machine's time in microseconds since the epoch."""
    return time.time_ns() // 1_000
