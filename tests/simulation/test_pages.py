from __future__ import annotations

import pytest

from vumeter_server.errors import InvalidArgument, NotFound
from vumeter_server.simulation import pages


@pytest.mark.parametrize(
    ("text", "page"), [("", 1), ("1", 1), ("007", 7), ("9" * 18, int("9" * 18)), ("9" * 40, 10**18)]
)
def test_pages_are_whole_numbers_from_1(text: str, page: int) -> None:
    assert pages.parse_page(text) == page


@pytest.mark.parametrize(
    "text", ["0", "-1", "+1", "1.0", "abc", " 1", "1 ", "\N{FULLWIDTH DIGIT ONE}", "0x1", "000"]
)
def test_a_page_that_is_no_whole_number_from_1_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^page must be a whole number from 1$"):
        pages.parse_page(text)


@pytest.mark.parametrize("text", ["0", "101", "ten", "-10", "9" * 5000])
def test_a_limit_is_from_1_to_100(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^limit must be a whole number from 1 to 100$"):
        pages.parse_limit(text)
    assert (pages.parse_limit(""), pages.parse_limit("100")) == (10, 100)


def test_an_empty_list_has_one_page() -> None:
    assert pages.total_pages(0, 10) == 1
    pages.check_page(1, 0, 10)
    with pytest.raises(NotFound, match=r"^Invalid page\.$"):
        pages.check_page(2, 0, 10)


def test_the_last_page_may_be_partly_filled() -> None:
    assert pages.total_pages(50, 10) == 5
    assert pages.total_pages(51, 10) == 6
