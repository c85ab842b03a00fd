"""Periods of time as whole days, which rollups have, and what is outside of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.ranges import Edge
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class DaySpan:
    """Whole days [first, end) of one period."""

    first: int
    end: int
    period: int


def whole_days(bounds_us: Integers) -> tuple[DaySpan, ...]:
    """Return the whole days in each period that has some."""
    firsts, ends = -(-bounds_us[:-1] // DAY_US), bounds_us[1:] // DAY_US
    periods = np.flatnonzero(firsts < ends)
    columns = (firsts[periods].tolist(), ends[periods].tolist(), periods.tolist())
    return tuple(
        DaySpan(first=first, end=end, period=period)
        for first, end, period in zip(*columns, strict=True)
    )


def edges_of_days(bounds_us: Integers, days: tuple[DaySpan, ...]) -> tuple[Edge, ...]:
    """Return what is outside of the whole days."""
    edges = []
    start_us = int(bounds_us[0])
    for first_us, end_us in [
        *((span.first * DAY_US, span.end * DAY_US) for span in days),
        (int(bounds_us[-1]), 0),
    ]:
        if start_us < first_us:
            period = int(np.searchsorted(bounds_us, start_us, "right")) - 1
            edges.append(Edge(start_us, first_us, period))
        start_us = end_us
    return tuple(edges)
