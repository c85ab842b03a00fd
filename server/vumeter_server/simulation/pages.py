"""The numbered pages of the documented lists; gRPC callers have page tokens."""

from __future__ import annotations

import re

from vumeter_server.errors import InvalidArgument, NotFound

DEFAULT_LIMIT = 10
MAX_LIMIT = 100

_NUMBER = re.compile(r"0*([0-9]{1,18})", re.ASCII)
_BEYOND_ANY_PAGE = 10**18

# Of run tests.
DEFAULT_RUN_TESTS = 100
MAX_RUN_TESTS = 1_000


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
