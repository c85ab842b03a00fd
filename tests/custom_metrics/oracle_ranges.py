"""Texts of the REST API and what they mean, in the most literal way: for the oracle."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

Params = Mapping[str, str]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
QUARTER_HOUR = timedelta(minutes=15)
UNITS_US = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}


def microseconds(moment: datetime) -> int:
    """Return an aware datetime in microseconds since the epoch."""
    return (moment - EPOCH) // MICROSECOND


def read_list(text: str | None) -> list[str]:
    """Read a comma-separated list."""
    return list(dict.fromkeys(item.strip() for item in text.split(","))) if text else []


def read_tags(text: str | None) -> dict[str, str]:
    """Read a tags filter."""

    def as_text(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float):
            whole = value.is_integer()
            return str(int(value)) if whole else format(Decimal(repr(value)), "f")
        return str(value)

    return {key: as_text(value) for key, value in json.loads(text or "{}").items()}


def read_step(text: str) -> int:
    """Read a duration in microseconds."""
    return sum(
        int(count) * UNITS_US[unit] for count, unit in re.findall(r"(\d+)(ms|[smhdw])", text)
    )


def read_range(params: Params) -> tuple[int, int]:
    """Read startDate and endDate."""
    zone = params.get("timezone") or "UTC"
    return read_instant(params["startDate"], zone), read_instant(params["endDate"], zone)


def read_instant(text: str, zone: str) -> int:
    """Read a date or date-time."""
    text = re.sub(r"^(.{10}[T ].*) (\d\d:\d\d)$", r"\1+\2", text)
    moment = datetime.fromisoformat(text)
    return microseconds(moment if moment.tzinfo else first_instant(moment, zone))


def days(start_us: int, end_us: int, zone: str) -> list[tuple[date, int, int]]:
    """Return the calendar days of a zone that share an instant with a range, clipped to it."""
    day = (EPOCH + start_us * MICROSECOND).date() - timedelta(days=3)
    found: list[tuple[date, int, int]] = []
    while True:
        midnight = datetime.combine(day, datetime.min.time())
        day_start = microseconds(first_instant(midnight, zone))
        if day_start >= end_us:
            return found
        day_end = microseconds(first_instant(midnight + timedelta(days=1), zone))
        if max(day_start, start_us) < min(day_end, end_us):
            found.append((day, max(day_start, start_us), min(day_end, end_us)))
        day += timedelta(days=1)


@lru_cache(maxsize=10_000)
def first_instant(wall: datetime, zone: str) -> datetime:
    """Return when clocks in a zone first show a wall time, or first pass one that they skip.

    Found by looking at the clock every quarter of an hour for four days.
    """
    zone_info = load_zone(zone)

    def shown(moment: datetime) -> datetime:
        return moment.astimezone(zone_info).replace(tzinfo=None)

    as_utc = wall.replace(tzinfo=UTC)
    looks = [as_utc + QUARTER_HOUR * step for step in range(-192, 193)]
    offsets = {shown(look) - look.replace(tzinfo=None) for look in looks}
    exact = [as_utc - offset for offset in offsets if shown(as_utc - offset) == wall]
    if exact:
        return min(exact)
    passed = next(look for look in looks if shown(look) > wall)
    low, high = 0, 900
    while high - low > 1:
        middle = (low + high) // 2
        if shown(passed - timedelta(seconds=900 - middle)) > wall:
            high = middle
        else:
            low = middle
    # Looks need not fall on whole seconds, changes of clocks do.
    return (passed - timedelta(seconds=900 - high)).replace(microsecond=0)


@lru_cache
def load_zone(name: str) -> ZoneInfo:
    """Read a zone of the tzdata package, not the machine's."""
    path = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
