"""Durations as text: `30s`, `5m`, `1h30m`, `1d`."""

from __future__ import annotations

import re
from typing import Final

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.units import (
    DAY_US,
    HOUR_US,
    MILLISECOND_US,
    MINUTE_US,
    SECOND_US,
    WEEK_US,
)

STEP_PROBLEM: Final = "must be a duration such as 30s, 5m, 1h or 1d"

_UNITS: Final = {
    "w": WEEK_US,
    "d": DAY_US,
    "h": HOUR_US,
    "m": MINUTE_US,
    "s": SECOND_US,
    "ms": MILLISECOND_US,
}
_FORM: Final = re.compile("".join(rf"(?:([0-9]{{1,18}}){unit})?" for unit in _UNITS))
# An instant plus this still fits into 64 bits.
_MAX_US: Final = 2**62


def read_step(text: str) -> int | None:
    """Return a duration in microseconds, or None if the text is none.

    Number and unit, once or several times, each unit at most once, largest first; more than 0.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    total = sum(
        int(number) * unit_us
        for number, unit_us in zip(found.groups(default="0"), _UNITS.values(), strict=True)
    )
    return total if 0 < total <= _MAX_US else None


def parse_step(text: str | None, *, default: str, field: str = "step") -> int:
    """Return the duration of a parameter in microseconds, `default`'s if absent or "".

    Raises InvalidArgument naming `field`.
    """
    step_us = read_step(text or default)
    if step_us is None:
        raise InvalidArgument.of(field, STEP_PROBLEM)
    return step_us


def format_step(step_us: int) -> str:
    """Print a duration of whole milliseconds, largest unit first: `1h30m`."""
    if step_us <= 0 or step_us % MILLISECOND_US:
        raise ValueError(f"{step_us} us is not a positive number of milliseconds")
    parts = []
    for unit, unit_us in _UNITS.items():
        count, step_us = divmod(step_us, unit_us)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
