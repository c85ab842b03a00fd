"""The address holds all of the state: a link shows the same to others, and back goes back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.dashboard.browser import Visitor
from tests.dashboard.conftest import Visit

from vumeter_server.access.keys import NewKey


def test_a_link_shows_the_same_to_somebody_in_another_time_zone(
    visit: Visit, demo_key: NewKey, analyst: Visitor
) -> None:
    page = analyst.page
    analyst.choice("Group by").select_option("topic")
    analyst.choice("Metric 1").select_option("faq_query")
    analyst.choice("Function 1").select_option("count")
    analyst.choice("Range").select_option("14d")
    analyst.choice("Step").select_option("day")
    analyst.choice("Compare with").select_option("7d")
    analyst.choice("Groups").select_option("5")
    page.get_by_label("All others together").uncheck()
    for name in ("booking_completed", "cancellation_attempt", "cancellation_completed"):
        page.get_by_role("button", name=f"Remove {name}").click()
    page.get_by_role("button", name="+ Filter").click()
    analyst.choice("Label").select_option("company_id")
    analyst.choice("Is").select_option("not")
    page.get_by_label("Value", exact=True).fill("100%: a/b")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(analyst.panel("faq_query · count")).to_be_visible()
    expect(page.get_by_role("columnheader", name="change")).to_be_visible()

    other = visit(timezone_id="Asia/Singapore", locale="en-US")
    other.page.goto(page.url)
    other.sign_in(demo_key.bearer)
    expect(other.page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    shown = other.page
    expect(other.choice("Metric 1")).to_have_value("faq_query")
    expect(other.choice("Function 1")).to_have_value("count")
    expect(other.choice("Metric 2")).to_have_count(0)
    expect(other.choice("Range")).to_have_value("14d")
    expect(other.choice("Step")).to_have_value("day")
    expect(other.choice("Compare with")).to_have_value("7d")
    expect(other.choice("Groups")).to_have_value("5")
    expect(shown.get_by_label("All others together")).not_to_be_checked()
    expect(shown.locator(".chip.mono")).to_contain_text("company_id != 100%: a/b")
    assert other.page.url == analyst.page.url
    assert other.cells("The whole range") == analyst.cells("The whole range")


def test_back_goes_to_what_was_shown_before(analyst: Visitor) -> None:
    page = analyst.page
    # The metrics that a page shows by itself are in its address once they are known.
    expect(page).to_have_url(re.compile("m=sum:booking_attempt"))
    before = page.url
    analyst.choice("Range").select_option("24h")
    analyst.choice("Compare with").select_option("previous")
    page.go_back()
    expect(analyst.choice("Compare with")).to_have_value("")
    expect(analyst.choice("Range")).to_have_value("24h")
    page.go_back()
    expect(analyst.choice("Range")).to_have_value("7d")
    assert page.url == before


def test_a_click_on_a_group_filters_by_it(analyst: Visitor) -> None:
    analyst.open("#/metrics?m=sum:faq_query&group=topic")
    topic = analyst.cells("The whole range")[1][0]
    analyst.panel("faq_query · sum").get_by_role("button", name=topic, exact=True).click()
    expect(analyst.page.locator(".chip.mono")).to_contain_text(f"topic = {topic}")
    expect(
        analyst.page.get_by_role("table", name="The whole range").locator("tbody tr")
    ).to_have_count(1)
    assert analyst.cells("The whole range")[0][0] == topic


def test_dragging_zooms_in_to_whole_buckets(analyst: Visitor) -> None:
    analyst.open("#/metrics?m=sum:faq_query&step=day&range=14d")
    box = analyst.panel("faq_query · sum").locator(".u-over").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    analyst.page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    analyst.page.mouse.down()
    analyst.page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    analyst.page.mouse.up()
    expect(analyst.page.get_by_label("From", exact=True)).to_have_value(re.compile("T00:00$"))
    expect(analyst.panel("faq_query · sum").locator("figure")).to_have_attribute(
        "data-buckets", re.compile("^[234]$")
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_that_was_chosen_stays(analyst: Visitor, theme: str) -> None:
    analyst.choice("Theme").select_option(theme)
    lightness = "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g)[1]"
    assert (int(analyst.page.evaluate(lightness)) > 128) == (theme == "light")
    analyst.page.get_by_role("link", name="Session").click()
    expect(analyst.page.get_by_role("heading", level=1)).to_have_text("Session")
    assert f"theme={theme}" in analyst.page.url
    assert (int(analyst.page.evaluate(lightness)) > 128) == (theme == "light")


def test_a_place_that_no_one_can_read_shows_what_is_there(analyst: Visitor) -> None:
    for place in (
        "#/nowhere?zone=Mars/Olympus",
        "#/metrics?m=x&f=%&group=&from=a&to=b&range=9x",
        "#%",
    ):
        analyst.open(place)
        analyst.page.reload()
        expect(analyst.panel("The whole range")).to_be_visible()
