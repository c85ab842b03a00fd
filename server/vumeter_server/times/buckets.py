"""Buckets of a range: one, of equal length, or of calendar units of a time zone."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Final
from zoneinfo import ZoneInfo

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.ranges import TimeRange, count_buckets
from vumeter_server.times.units import DAY_US, EPOCH_ORDINAL
from vumeter_server.times.zones import offset_at, to_instant


class CalendarUnit(Enum):
    """A unit of the calendar; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_MONTHS: Final[Mapping[CalendarUnit, int]] = {
    CalendarUnit.MONTH: 1,
    CalendarUnit.QUARTER: 3,
    CalendarUnit.YEAR: 12,
}

Step = int | CalendarUnit | None
"""Microseconds, a unit of the calendar, or None for one bucket."""


@dataclass(frozen=True, slots=True)
class BucketBounds:
    """`bounds_us` are n + 1 ascending bounds of n buckets, the first and last those of the range.

    An empty range has no buckets and no bounds.
    """

    bounds_us: tuple[int, ...]

    def __len__(self) -> int:
        return max(len(self.bounds_us) - 1, 0)


def buckets_of(time_range: TimeRange, step: Step, zone: ZoneInfo) -> BucketBounds:
    """Divide a range; the first and the last bucket hold only what is in the range.

    Buckets of a length begin at the start of the range. Raises InvalidArgument naming `step` for
    more than 11,000 buckets.
    """
    start_us, end_us = time_range.start_us, time_range.end_us
    if time_range.is_empty:
        return BucketBounds(())
    if step is None:
        return BucketBounds((start_us, end_us))
    if isinstance(step, int):
        count_buckets(time_range, step)
        return BucketBounds((*range(start_us, end_us, step), end_us))
    bounds, skipped = [start_us], 0
    first = _first_day(_local_date(start_us, zone), step)
    # From the first day each time: steps of clipped months would drift.
    while (begin := _moved(first, step, len(bounds) + skipped)) is not None:
        bound_us = _instant(begin, zone)
        if bound_us >= end_us:
            break
        # A unit that a zone skipped altogether, such as a day, is not there.
        if bound_us > bounds[-1]:
            bounds.append(bound_us)
        else:
            skipped += 1
    return BucketBounds((*bounds, end_us))


def previous(time_range: TimeRange, step: Step, zone: ZoneInfo) -> TimeRange:
    """Return the range before: equally long and right before.

    With a calendar step it is the range moved back by as many whole steps as it has buckets.
    """
    length_us = time_range.end_us - time_range.start_us
    if not isinstance(step, CalendarUnit):
        return TimeRange(start_us=time_range.start_us - length_us, end_us=time_range.start_us)
    count = len(buckets_of(time_range, step, zone))
    return _mapped(time_range, zone, lambda day: _moved(day, step, -count))


def days_earlier(time_range: TimeRange, days: int, zone: ZoneInfo) -> TimeRange:
    """Return the range so many local days earlier, at the same times of day."""
    return _mapped(time_range, zone, lambda day: _moved(day, CalendarUnit.DAY, -days))


def _mapped(
    time_range: TimeRange, zone: ZoneInfo, moved: Callable[[date], date | None]
) -> TimeRange:
    bounds = []
    for instant_us in (time_range.start_us, time_range.end_us):
        local_us = instant_us + offset_at(instant_us, zone)
        day = date.fromordinal(local_us // DAY_US + EPOCH_ORDINAL)
        earlier = moved(day)
        if earlier is None:
            raise InvalidArgument.of("compare_to", "must not reach before the year 1")
        shift_us = (earlier.toordinal() - day.toordinal()) * DAY_US
        bounds.append(to_instant(local_us + shift_us, zone))
    return TimeRange(start_us=bounds[0], end_us=max(bounds))


def _local_date(instant_us: int, zone: ZoneInfo) -> date:
    return date.fromordinal((instant_us + offset_at(instant_us, zone)) // DAY_US + EPOCH_ORDINAL)


def _instant(day: date, zone: ZoneInfo) -> int:
    return to_instant((day.toordinal() - EPOCH_ORDINAL) * DAY_US, zone)


def _first_day(day: date, unit: CalendarUnit) -> date:
    """Return the first day of the unit in which a day lies."""
    if unit is CalendarUnit.DAY:
        return day
    if unit is CalendarUnit.WEEK:
        return day - timedelta(days=min(day.weekday(), day.toordinal() - 1))
    months = _MONTHS[unit]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _moved(day: date, unit: CalendarUnit, count: int) -> date | None:
    """Return the day `count` units later, None outside of the calendar.

    A day that a month lacks becomes its last one.
    """
    if unit in _MONTHS:
        year, month = divmod(day.year * 12 + day.month - 1 + count * _MONTHS[unit], 12)
        if not 1 <= year <= 9999:
            return None
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    ordinal = day.toordinal() + count * (7 if unit is CalendarUnit.WEEK else 1)
    return date.fromordinal(ordinal) if 1 <= ordinal <= date.max.toordinal() else None
