"""Time zones of the tzdata package, and the calendar days of a zone.

The machine's own zone files are never read, so an answer does not depend on where the server runs.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.units import DAY_US, EPOCH_ORDINAL, SECOND_US

_NAIVE_EPOCH: Final = datetime(1970, 1, 1)
_MAX_ORDINAL: Final = date.max.toordinal()
# Offsets are looked up no closer than a year to where datetime ends, so that none can overflow.
_FIRST_LOOKUP_US: Final = (date(2, 1, 1).toordinal() - EPOCH_ORDINAL) * DAY_US
_LAST_LOOKUP_US: Final = (date(9998, 12, 31).toordinal() - EPOCH_ORDINAL) * DAY_US


class LocalDay(NamedTuple):
    """The part of a calendar day that lies in a range: `[start_us, end_us)`."""

    date: date
    start_us: int
    end_us: int


def find_zone(name: str | None, field: str = "timezone") -> ZoneInfo:
    """Return the zone of an IANA name, spelled exactly as in the tzdata package; UTC if absent.

    Raises InvalidArgument naming `field` for any other text.
    """
    if not name:
        return _load("UTC")
    if name not in _zone_names():
        raise InvalidArgument.of(field, "must be a valid IANA timezone")
    return _load(name)


def to_instant(local_us: int, zone: ZoneInfo) -> int:
    """Return the instant at which clocks in `zone` show a wall time.

    `local_us` counts as if the wall time were UTC. A repeated wall time means the first of its
    instants, a skipped one the first instant after the gap.
    """
    wall = _NAIVE_EPOCH + timedelta(microseconds=_lookup(local_us))
    first_us = _offset_of_wall(wall, zone)
    second_us = _offset_of_wall(wall.replace(fold=1), zone)
    if first_us >= second_us:
        return local_us - first_us
    return _first_change(local_us - second_us, local_us - first_us, zone)


def offset_at(instant_us: int, zone: ZoneInfo) -> int:
    """Return how far clocks in `zone` are ahead of UTC at an instant, in microseconds."""
    utc = _NAIVE_EPOCH + timedelta(microseconds=_lookup(instant_us))
    local = zone.fromutc(utc.replace(tzinfo=zone))
    return _microseconds(local.replace(tzinfo=None) - utc)


def local_days(start_us: int, end_us: int, zone: ZoneInfo) -> list[LocalDay]:
    """Return the calendar days of `zone` that share an instant with `[start_us, end_us)`, in order.

    Each is clipped to the range. A day that the zone skipped is not there.
    """
    if start_us >= end_us:
        return []
    # A clock set back over midnight shows the former date once more, hence one day to spare.
    first = max(_local_ordinal(start_us, zone) - 1, 1)
    last = min(_local_ordinal(end_us - 1, zone) + 1, _MAX_ORDINAL)
    starts = _starts_of_days(first, last, zone)
    begin = max(bisect_right(starts, start_us) - 1, 0)
    bounds = starts[begin : bisect_left(starts, end_us)]
    bounds[0] = max(bounds[0], start_us)
    bounds.append(end_us)
    return [
        LocalDay(date.fromordinal(ordinal), start, end)
        for ordinal, (start, end) in enumerate(itertools.pairwise(bounds), first + begin)
        if start < end
    ]


@cache
def _zone_names() -> frozenset[str]:
    """Return every name that the tzdata package lists."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())


@cache
def _load(name: str) -> ZoneInfo:
    """Read one listed zone."""
    path = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _starts_of_days(first: int, last: int, zone: ZoneInfo) -> list[int]:
    """Return the first instant of each day from ordinal `first` to `last`."""
    first_year = date.fromordinal(first).year
    starts: list[int] = []
    for year in range(first_year, date.fromordinal(last).year + 1):
        starts += _starts_of_days_in_year(year, zone)
    skipped = first - date(first_year, 1, 1).toordinal()
    return starts[skipped : skipped + last - first + 1]


@lru_cache(maxsize=1_024)
def _starts_of_days_in_year(year: int, zone: ZoneInfo) -> tuple[int, ...]:
    """Return the first instant of each day of a year."""
    first = date(year, 1, 1).toordinal() - EPOCH_ORDINAL
    last = date(year, 12, 31).toordinal() - EPOCH_ORDINAL
    return tuple(to_instant(day * DAY_US, zone) for day in range(first, last + 1))


def _local_ordinal(instant_us: int, zone: ZoneInfo) -> int:
    """Return the ordinal of the date that clocks in `zone` show at an instant."""
    return (instant_us + offset_at(instant_us, zone)) // DAY_US + EPOCH_ORDINAL


def _first_change(before_us: int, after_us: int, zone: ZoneInfo) -> int:
    """Return the instant between two at which the offset of `zone` changes: a whole second."""
    before = before_us // SECOND_US
    after = -(-after_us // SECOND_US)
    offset = offset_at(before * SECOND_US, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(middle * SECOND_US, zone) == offset:
            before = middle
        else:
            after = middle
    return after * SECOND_US


def _offset_of_wall(wall: datetime, zone: ZoneInfo) -> int:
    """Return the offset that `zone` gives a wall time, heeding its `fold`."""
    offset = zone.utcoffset(wall)
    if offset is None:
        raise RuntimeError("a zone of the tz database always has an offset")
    return _microseconds(offset)


def _microseconds(duration: timedelta) -> int:
    return (duration.days * 86_400 + duration.seconds) * SECOND_US + duration.microseconds


def _lookup(microseconds: int) -> int:
    return min(max(microseconds, _FIRST_LOOKUP_US), _LAST_LOOKUP_US)
