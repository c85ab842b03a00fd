"""This machine's clock beside what a store holds of it."""

from __future__ import annotations

from vumeter_server.commands.diagnosis.finding import Finding, problem, warning
from vumeter_server.commands.printing import time_text
from vumeter_server.runtime.clock_guard import MAX_AHEAD_AT_START_US
from vumeter_server.times.units import MINUTE_US


def check_clock(now_us: int, newest_us: int | None, untrusted_for_us: int) -> Finding:
    """Return what is found of the clock.

    `newest_us` is the latest time that servers saved, None if there is none; `untrusted_for_us` is
    that of their record of the clock.
    """
    check = "clock"
    if newest_us is None:
        return Finding(check=check, found=f"{time_text(now_us)}; nothing is recorded yet")
    found = f"{time_text(now_us)}, newest record {time_text(newest_us)}"
    accept = "set the clock, or run `vumeter clock accept` if it is right"
    if untrusted_for_us:
        return problem(check, f"{found}: the server does not trust the clock", accept)
    if now_us < newest_us - MINUTE_US:
        return problem(check, f"{found}: the clock stands before it", "set the clock; use NTP")
    if now_us > newest_us + MAX_AHEAD_AT_START_US:
        return warning(check, f"{found}: the next start will not trust the clock", accept)
    return Finding(check=check, found=found)
