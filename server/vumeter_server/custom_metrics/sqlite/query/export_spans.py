"""In which spans of time an export reads a copy, so that no span has too many points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, decode
from vumeter_server.custom_metrics.sqlite.query.export_copy import CopiedPoints
from vumeter_server.sqlite import check_cancelled

# So many points are read, ordered and held together.
POINTS_AT_ONCE: Final = 131_072
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ExportSpan:
    """A span of time that is read at once.

    `points_through` is how many points there are up to its end, before they are filtered.
    """

    start_us: int
    end_us: int
    points_through: int


def spans(copied: CopiedPoints) -> Iterator[ExportSpan]:
    """Yield spans that together hold all points, in order of time."""
    by_day: dict[int, int] = dict(copied.copy.days())
    head_days, counts = np.unique(copied.head.times_us // DAY_US, return_counts=True)
    for day, count in zip(head_days.tolist(), counts.tolist(), strict=True):
        by_day[day] = by_day.get(day, 0) + count
    first, held, through = None, 0, 0
    for day, points in sorted(by_day.items()):
        if first is not None and held + points > POINTS_AT_ONCE:
            yield ExportSpan(first * DAY_US, day * DAY_US, through)
            first, held = None, 0
        through += points
        if points > POINTS_AT_ONCE:
            yield from _spans_of_day(copied, day, through - points)
        else:
            first, held = day if first is None else first, held + points
    if first is not None:
        yield ExportSpan(first * DAY_US, (max(by_day) + 1) * DAY_US, through)


def _spans_of_day(copied: CopiedPoints, day: int, before: int) -> Iterator[ExportSpan]:
    """Divide a day at whole seconds, so that no span but of one second has too many points."""
    edges = np.arange(0, DAY_US + 1, _SECOND_US)
    counts = np.zeros(len(edges), np.int64)
    for _, blob in copied.copy.times(day, day + 1):
        check_cancelled()
        counts += np.searchsorted(decode(blob), edges)
    counts += np.searchsorted(copied.head.times_us - day * DAY_US, edges)
    counts -= counts[0]
    start = 0
    while start < len(edges) - 1:
        most = counts[start] + POINTS_AT_ONCE
        end = max(int(np.searchsorted(counts, most, side="right")) - 1, start + 1)
        if counts[end] > counts[start]:
            span_us = edges[[start, end]] + day * DAY_US
            yield ExportSpan(int(span_us[0]), int(span_us[1]), before + int(counts[end]))
        start = end
