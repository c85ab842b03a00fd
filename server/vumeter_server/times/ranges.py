"""Ranges of time: `startDate`, `endDate` and `timezone` of a query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from vumeter_server.errors import InvalidArgument, Violation
from vumeter_server.times.units import DAY_US, EPOCH_ORDINAL, MINUTE_US, SECOND_US
from vumeter_server.times.zones import LocalDay, find_zone, local_days, to_instant

MAX_DAYS: Final = 3_660
MAX_BUCKETS: Final = 11_000

_OFFSET = r"(?P<sign>[+ -])(?P<offset_hours>[01][0-9]|2[0-3]):(?P<offset_minutes>[0-5][0-9])"
_INSTANT: Final = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?)?"
    rf"(?P<offset>Z|{_OFFSET})?)?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeRange:
    """The instants from `start_us` up to, but without, `end_us`."""

    start_us: int
    end_us: int

    @property
    def is_empty(self) -> bool:
        """Whether no instant lies in the range."""
        return self.start_us >= self.end_us


def parse_range(start: str | None, end: str | None, timezone: str | None = None) -> TimeRange:
    """Read the range of a query; "" is the same as absent.

    Raises InvalidArgument naming `start_date`, `end_date` or `timezone`: all that are wrong.
    """
    violations: list[Violation] = []
    zone = find_zone(None)
    bounds = []
    try:
        zone = find_zone(timezone)
    except InvalidArgument as error:
        violations += error.violations
    for text, field in ((start, "start_date"), (end, "end_date")):
        try:
            bounds.append(parse_instant(text, zone, field))
        except InvalidArgument as error:
            violations += error.violations
    if violations:
        raise InvalidArgument(violations=sorted(violations, key=_by_field))
    return check_range(bounds[0], bounds[1])


def _by_field(violation: Violation) -> int:
    return ("start_date", "end_date", "timezone").index(violation.field)


def check_range(start_us: int, end_us: int, field: str = "end_date") -> TimeRange:
    """Return the range between two instants; raises InvalidArgument naming `field`, the end's.

    The end must not lie before the start, nor more than 3,660 days of 24 h behind it.
    """
    if end_us < start_us:
        raise InvalidArgument.of(field, "must not be before the start of the range")
    if end_us - start_us > MAX_DAYS * DAY_US:
        raise InvalidArgument.of(field, f"must be at most {MAX_DAYS:,} days after the start")
    return TimeRange(start_us=start_us, end_us=end_us)


def parse_instant(text: str | None, zone: ZoneInfo, field: str) -> int:
    """Read a date or a date-time; without an offset it is a wall time in `zone`.

    A date is its first instant. A space before a final `hh:mm` is a `+` that a URL lost. A repeated
    wall time means the first, a skipped one the first instant after the gap.
    Raises InvalidArgument naming `field`.
    """
    if not text:
        raise InvalidArgument.of(field, "must be a string")
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise _not_a_date(field)
    try:
        wall = datetime(
            int(found["year"]),
            int(found["month"]),
            int(found["day"]),
            int(found["hour"] or 0),
            int(found["minute"] or 0),
            int(found["second"] or 0),
            int((found["fraction"] or "0").ljust(6, "0")),
        )
    except ValueError:
        raise _not_a_date(field) from None
    local_us = (wall.toordinal() - EPOCH_ORDINAL) * DAY_US + (
        (wall.hour * 60 + wall.minute) * 60 + wall.second
    ) * SECOND_US
    local_us += wall.microsecond
    if found["offset"] is None:
        return to_instant(local_us, zone)
    if found["offset"] == "Z":
        return local_us
    offset_us = (int(found["offset_hours"]) * 60 + int(found["offset_minutes"])) * MINUTE_US
    return local_us + offset_us if found["sign"] == "-" else local_us - offset_us


def _not_a_date(field: str) -> InvalidArgument:
    return InvalidArgument.of(field, "must be a valid ISO 8601 date string")


def day_bounds(time_range: TimeRange, zone: ZoneInfo) -> list[LocalDay]:
    """Return the calendar days of `zone` in a range, in order, each clipped to the range."""
    return local_days(time_range.start_us, time_range.end_us, zone)


def count_buckets(time_range: TimeRange, step_us: int, field: str = "step") -> int:
    """Return how many buckets `[start + k·step, +step)` the range holds, the last maybe cut.

    More than 11,000 raise InvalidArgument naming `field`.
    """
    count = -(-(time_range.end_us - time_range.start_us) // step_us)
    if count > MAX_BUCKETS:
        raise InvalidArgument.of(
            field, f"must be longer: the range holds more than {MAX_BUCKETS:,} buckets"
        )
    return count
