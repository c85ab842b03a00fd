"""RFC 3339: the one form of time in recorded bodies and in answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.units import MINUTE_US, SECOND_US

TIMESTAMP_PROBLEM: Final = "must be an RFC 3339 time with an offset, such as 2025-04-01T10:00:00Z"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)
_LAST: Final = datetime.max - _NAIVE_EPOCH
_FIRST: Final = datetime.min - _NAIVE_EPOCH
# datetime.fromisoformat checks the numbers, but also takes forms that RFC 3339 does not know.
_FORM: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def read_rfc3339(text: str) -> int | None:
    """Return the instant of an RFC 3339 time with an offset, or None if it is none.

    Digits behind the microsecond are dropped. A leap second (`:60`) is not taken.
    """
    if not _FORM.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * SECOND_US + passed.microseconds


def parse_rfc3339(text: str, field: str) -> int:
    """Return the instant of an RFC 3339 time; raises InvalidArgument naming `field`."""
    instant = read_rfc3339(text)
    if instant is None:
        raise InvalidArgument.of(field, TIMESTAMP_PROBLEM)
    return instant


def format_rfc3339(instant_us: int, *, decimals: int | None = None) -> str:
    """Print an instant in UTC: `2025-04-01T09:00:00Z`.

    With `decimals` (0, 3 or 6) that many digits of the second follow, cut off, not rounded;
    without, as many as are not zero. Years outside 1 to 9999 print as the nearest of these.
    """
    passed = min(max(timedelta(microseconds=instant_us), _FIRST), _LAST)
    text = (_NAIVE_EPOCH + passed).isoformat(timespec="microseconds")
    if decimals is None:
        text = text.rstrip("0").rstrip(".") if text.endswith("0") else text
    else:
        text = text[: 19 + decimals + (decimals > 0)]
    return text + "Z"


def format_local(instant_us: int, offset_us: int) -> str:
    """Print an instant as clocks that are `offset_us` ahead of UTC show it, with that offset.

    The offset is numeric, `+08:00`, in whole minutes; fractions of a second are there if not zero.
    """
    local = format_rfc3339(instant_us + offset_us)[:-1]
    minutes = abs(offset_us) // MINUTE_US
    return f"{local}{'-' if offset_us < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
