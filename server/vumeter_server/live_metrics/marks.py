"""Where a call counts in history: marks at the times at which its events occurred.

A mark is one thing counted at one instant. Marks are a function of a call's state, so when a late
event changes a call, the marks that it no longer has are removed and the new ones are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.counters import END_OF, REJECTED, Counter

STARTS_AND_ENDS = (Counter.STARTED, *END_OF.values())


class Mark(NamedTuple):
    """Something counted at `us`.

    `amount` is milliseconds for MINUTES. For starts and ends it is the change of the number of
    active calls: 0 where the call was active for no time at all. The mark of an end has the kind of
    the call's outcome, and counts into everything that `COUNTS_AS` says.
    """

    us: int
    kind: Counter
    amount: int


class MinutesReport(NamedTuple):
    """The minutes of a call, in milliseconds, as they were reported to be at `us`."""

    us: int
    minutes_ms: int


def marks(call: CallState) -> set[Mark]:
    """Return the marks of `call`, except those of its reported minutes."""
    marked = set()
    started, ended = call.started_us, call.effective_end_us
    was_active = started is not None and (ended is None or ended > started)
    if call.accepted_us is not None and (started is None or call.accepted_us < started):
        marked.add(Mark(call.accepted_us, Counter.ACCEPTED, 1))
    elif started is not None:
        marked.add(Mark(started, Counter.ACCEPTED, 1))
    if started is not None:
        marked.add(Mark(started, Counter.STARTED, 1 if was_active else 0))
    if ended is not None and call.end is not None:
        marked.add(Mark(ended, call.end, -1 if was_active else 0))
    if call.referred_us is not None:
        marked.add(Mark(call.referred_us, Counter.REFERRED, 1))
    if call.is_rejected and call.rejected_us is not None and call.reason is not None:
        marked.add(Mark(call.rejected_us, REJECTED[call.reason], 1))
    if call.fallback_ms and call.ended_us is not None:
        marked.add(Mark(call.ended_us, Counter.MINUTES, call.fallback_ms))
    return marked


def raising(reports: Iterable[MinutesReport]) -> list[MinutesReport]:
    """Return the reports that raise a call's minutes, in order of time.

    Each is later and larger than the one before. Of reports at one instant only the largest counts.
    """
    rising: list[MinutesReport] = []
    for report in sorted(reports, key=lambda each: (each.us, -each.minutes_ms)):
        if not rising or report.minutes_ms > rising[-1].minutes_ms:
            rising.append(report)
    return rising


def report_marks(rising: Sequence[MinutesReport], before_ms: int = 0) -> set[Mark]:
    """Return the marks of reports that each raise a call's minutes, which were `before_ms`."""
    marked = set()
    for us, minutes_ms in rising:
        if minutes_ms > before_ms:
            marked.add(Mark(us, Counter.MINUTES, minutes_ms - before_ms))
        before_ms = minutes_ms
    return marked
