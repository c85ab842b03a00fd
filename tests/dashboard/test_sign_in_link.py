"""The link that opens the dashboard signed in: once, and without a trace of its code."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.dashboard.browser import Visitor
from tests.dashboard.conftest import Visit
from tests.stack import Stack

from vumeter_server.access.keys import NewKey

USED = "This link was used before or has expired"


def test_the_link_opens_every_page_and_its_code_stands_nowhere(visit: Visit, demo: Stack) -> None:
    code = demo.make_code("demo", for_live=True)
    visitor = visit()
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url))
    visitor.open(f"#/sign-in?code={code}")
    visitor.panel("The whole range").wait_for()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Metrics")
    visitor.page.get_by_role("link", name="Live").click()
    expect(visitor.page.locator(".state.live")).to_be_visible()
    stored = visitor.stored()
    assert [stored[kind]["caller"]["role"] for kind in ("organization", "live")] == [
        "admin",
        "operator",
    ]
    assert code not in str(stored)
    assert not [url for url in [*sent, visitor.page.url] if code in url]
    # Back leads to no address with the code either.
    visitor.page.go_back()
    visitor.page.go_back()
    assert code not in visitor.page.url


def test_a_link_that_was_used_says_so_and_a_key_still_signs_in(
    visit: Visit, demo: Stack, demo_key: NewKey
) -> None:
    code = demo.make_code("demo")
    first = visit()
    first.open(f"#/sign-in?code={code}")
    first.panel("The whole range").wait_for()
    second = visit()
    second.open(f"#/sign-in?code={code}")
    expect(second.page.get_by_role("alert")).to_contain_text(USED)
    assert code not in second.page.url
    assert second.stored() == {}
    second.sign_in(demo_key.bearer)
    expect(second.page.get_by_role("heading", level=1)).to_have_text("Metrics")


@pytest.mark.parametrize("place", ["#/sign-in?code=made-up", "#/sign-in?code="])
def test_a_made_up_link_is_the_sign_in_page(visit: Visit, place: str) -> None:
    visitor = visit()
    visitor.open(place)
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()
    if "made-up" in place:
        expect(visitor.page.get_by_role("alert")).to_contain_text(USED)
    assert visitor.stored() == {}


def test_a_link_in_a_tab_that_is_open_already_signs_in_too(analyst: Visitor, demo: Stack) -> None:
    analyst.panel("The whole range").wait_for()
    before = analyst.stored()["organization"]["caller"]["keyId"]
    analyst.open("#/sign-in?code=made-up")
    expect(analyst.page.get_by_role("alert")).to_contain_text(USED)
    assert analyst.stored()["organization"]["caller"]["keyId"] == before
    analyst.open(f"#/sign-in?code={demo.make_code('demo')}")
    analyst.panel("The whole range").wait_for()
    assert analyst.stored()["organization"]["caller"]["keyId"] != before
