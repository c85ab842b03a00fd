"""Pages of lists: numbered ones as documented, and tokens for gRPC callers."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import orjson

from vumeter_server.errors import InvalidArgument, NotFound

DEFAULT_LIMIT = 10
MAX_LIMIT = 100

_NUMBER = re.compile(r"0*([0-9]{1,18})", re.ASCII)
_BEYOND_ANY_PAGE = 10**18

OTHER_LIST = "must be the next_page_token of the same list"


def parse_page(text: str) -> int:
    """Return the page asked for, from 1; empty text is page 1.

    Raises:
        InvalidArgument: it is no whole number from 1.
    """
    return _parse(text, default=1, problem="must be a whole number from 1", field="page")


def parse_limit(text: str) -> int:
    """Return the page size asked for, 1 to 100; empty text is 10.

    Raises:
        InvalidArgument: it is no whole number in that range.
    """
    problem = f"must be a whole number from 1 to {MAX_LIMIT}"
    limit = _parse(text, default=DEFAULT_LIMIT, problem=problem, field="limit")
    if limit > MAX_LIMIT:
        raise InvalidArgument.of("limit", problem)
    return limit


def _parse(text: str, *, default: int, problem: str, field: str) -> int:
    if not text:
        return default
    if match := _NUMBER.fullmatch(text):
        number = int(match[1])
    else:
        # A number of more digits than any list has pages is a page past the last.
        number = _BEYOND_ANY_PAGE if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise InvalidArgument.of(field, problem)
    return number


def total_pages(count: int, limit: int) -> int:
    """Return how many pages `count` entries fill; an empty list has one page."""
    return max(1, -(-count // limit))


def check_page(page: int, count: int, limit: int) -> None:
    """Reject a page past the last.

    Raises:
        NotFound: `Invalid page.`
    """
    if page > total_pages(count, limit):
        raise NotFound("Invalid page.")


def checked_page_size(size: int, *, default: int, most: int) -> int:
    """Return the page size of a typed list; 0 means the default.

    Raises:
        InvalidArgument: negative, or more than `most`.
    """
    if not 0 <= size <= most:
        raise InvalidArgument.of("page_size", f"must be from 1 to {most}")
    return size or default


def encode_token(*position: str | int | None) -> str:
    """Return a page token that stands for the position after an entry of a list."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).rstrip(b"=").decode()


def decode_token(token: str, *kinds: type | tuple[type, ...]) -> list[Any]:
    """Return the position in `token`, checked to hold values of `kinds`.

    Raises:
        InvalidArgument: it is no token that `encode_token` gave for such a position.
    """
    try:
        position = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != len(kinds)
        or not all(isinstance(each, kind) for each, kind in zip(position, kinds, strict=True))
        or any(isinstance(each, int) and not -(2**63) <= each < 2**63 for each in position)
    ):
        raise InvalidArgument.of("page_token", OTHER_LIST)
    return position
