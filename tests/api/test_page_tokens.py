"""Pages of lists: what a token says, and which tokens are taken."""

from __future__ import annotations

import base64
from types import NoneType
from typing import Any

import pytest

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as custom
from vumeter.simulation.v1 import simulation_pb2 as simulation
from vumeter_server.api.page_tokens import Kinds, asked_page
from vumeter_server.errors import InvalidArgument

TEXT_AND_NUMBER: Kinds = (str, (int, NoneType), int)
PROBLEM = r"^page_token must be the next_page_token of an answer to the same request$"


def asking(run_test_name: str = "nightly", **page: Any) -> simulation.ListExecutionMetricsRequest:
    return simulation.ListExecutionMetricsRequest(run_test_name=run_test_name, **page)


def token_of(*position: str | int | None) -> str:
    return asked_page(asking(), TEXT_AND_NUMBER, most=100).next_token(*position)


def test_a_token_gives_its_position_back_to_the_same_request() -> None:
    request = asking(page_token=token_of("Тест ✓", None, -(2**63)))
    assert asked_page(request, TEXT_AND_NUMBER, most=100).after == ("Тест ✓", None, -(2**63))


def test_the_page_size_may_change_between_pages() -> None:
    request = asking(page_token=token_of("a", 1, 7), page_size=3)
    page = asked_page(request, TEXT_AND_NUMBER, most=100)
    assert (page.size, page.after) == (3, ("a", 1, 7))


def test_a_token_of_another_request_is_rejected() -> None:
    token = token_of("a", 1, 7)
    others = [
        asking("weekly", page_token=token),
        asking(percentiles=[50], page_token=token),
        simulation.ListRunTestsRequest(page_token=token),
    ]
    for request in others:
        with pytest.raises(InvalidArgument, match=PROBLEM):
            asked_page(request, TEXT_AND_NUMBER, most=100)


@pytest.mark.parametrize(
    "token",
    [
        *("x", "!!!!", "AAAA", "é", " ", base64.urlsafe_b64encode(b"[]").decode()),
        *(token_of("a", 1, 7)[:-4], token_of("a", 1, 7) + "A", token_of("a", 1, 7) + "\n"),
        *(token_of("a", 1), token_of("a", 1, 7, 8), token_of("a", "b", 7), token_of()),
        *(token_of("a", True, 7), token_of("a", 1, 2**63)),
    ],
)
def test_a_token_that_no_answer_gave_is_rejected(token: str) -> None:
    with pytest.raises(InvalidArgument, match=PROBLEM):
        asked_page(asking(page_token=token), TEXT_AND_NUMBER, most=100)


def test_a_position_of_any_length_holds_parts_of_one_type() -> None:
    request = custom.GetSessionMetricsRequest(session_id="s")
    first = asked_page(request, (str, ...), most=100)
    for position in (("a",), ("a", "b", "c")):
        request.page_token = first.next_token(*position)
        assert asked_page(request, (str, ...), most=100).after == position
    request.page_token = first.next_token("a", 1)
    with pytest.raises(InvalidArgument, match=PROBLEM):
        asked_page(request, (str, ...), most=100)


def test_a_page_has_at_least_one_entry_and_at_most_so_many() -> None:
    for size in (-1, 1_001):
        with pytest.raises(InvalidArgument, match=r"^page_size must be from 1 to 1,000$"):
            asked_page(asking(page_size=size), TEXT_AND_NUMBER, most=1_000)
    assert asked_page(asking(page_size=1_000), TEXT_AND_NUMBER, most=1_000).size == 1_000
    assert asked_page(asking(), TEXT_AND_NUMBER, most=1_000, default=10).size == 10
    assert asked_page(asking(), TEXT_AND_NUMBER, most=1_000).size is None


def test_pages_give_every_entry_once_though_the_list_grows_and_shrinks_between_them() -> None:
    request = custom.ListMetricNamesRequest(page_size=2)
    names = ["b", "d", "f", "h"]
    page = asked_page(request, (str,), most=100)
    shown, request.page_token = page.of(names, lambda name: (name,))
    assert shown == ["b", "d"]
    names = ["a", "b", "e", "f", "h"]
    page = asked_page(request, (str,), most=100)
    shown, request.page_token = page.of(names, lambda name: (name,))
    assert shown == ["e", "f"]
    page = asked_page(request, (str,), most=100)
    assert page.of(names, lambda name: (name,)) == (["h"], "")


def test_a_page_that_ends_with_the_list_is_the_last() -> None:
    page = asked_page(custom.ListMetricNamesRequest(page_size=2), (str,), most=100)
    assert page.of(["a", "b"], lambda name: (name,)) == (["a", "b"], "")
    assert page.of([], lambda name: (name,)) == ([], "")
