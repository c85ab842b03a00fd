"""Pages of the lists over REST that are sorted by a text: `limit` entries that come after `after`.

gRPC callers have page tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from vumeter_server.errors import InvalidArgument

T = TypeVar("T")

_NUMBER = re.compile(r"0*([0-9]{1,9})", re.ASCII)


def parse_whole(text: str, field: str, *, default: int, least: int, most: int) -> int:
    """Return a whole number that a parameter gives, `default` if it is empty.

    Raises:
        InvalidArgument: it is no whole number from `least` to `most`; it names `field`.
    """
    if not text:
        return default
    match = _NUMBER.fullmatch(text)
    number = int(match[1]) if match else -1
    if not least <= number <= most:
        raise InvalidArgument.of(field, f"must be a whole number from {least:,} to {most:,}")
    return number


def parse_after(text: str, *, most: int, field: str = "after") -> str:
    """Return the text that a page comes after; "" for the first page.

    Raises:
        InvalidArgument: it has more than `most` characters, so no entry can be it.
    """
    if len(text) > most:
        raise InvalidArgument.of(field, f"must be at most {most} characters")
    return text


def page_of(
    found: Sequence[T], limit: int, position: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """Return the entries of a page, and what the next page comes after, None on the last one.

    `found` holds the entries after the position asked for, one more than `limit` if there are.
    """
    if len(found) <= limit:
        return found, None
    return found[:limit], position(found[limit - 1])
