"""axe-core finds nothing on any page, in either theme, wide or narrow; a keyboard suffices."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.dashboard.browser import Visitor
from tests.dashboard.conftest import Visit
from tests.effort import tries
from tests.stack import ADMIN_TOKEN

from vumeter_server.access.keys import NewKey

PLACES = {
    "metrics": (
        "#/metrics?m=sum:faq_query&m=p95:ttft_ms&group=topic&compare=7d&range=14d",
        "The whole range",
    ),
    "sessions": ("#/session", "Sessions"),
    "simulations": ("#/simulations", "Executions"),
}

RULES = {"all": None, "color": {"runOnly": ["color-contrast", "link-in-text-block"]}}


def found_by_axe(page: Page, rules: str) -> list[str]:
    results = Axe().run(page, options=RULES[rules])
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(
    ("width", "theme", "rules"),
    # In another theme only colors are other ones.
    [
        *((1440, "light", "all"), (360, "light", "all")),
        *((1440, "dark", tries("color", "all")), (360, "dark", tries("color", "all"))),
    ],
)
def test_axe_finds_nothing(
    visit: Visit, demo_key: NewKey, theme: str, width: int, rules: str
) -> None:
    visitor = visit(width=width, color_scheme=theme)
    visitor.open("#/metrics")
    assert found_by_axe(visitor.page, rules) == []
    visitor.sign_in(demo_key.bearer)
    for place, panel in PLACES.values():
        visitor.open(place)
        expect(visitor.panel(panel).locator("tbody tr").first).to_be_visible()
        assert found_by_axe(visitor.page, rules) == [], place
    visitor.page.get_by_role("link", name="Session").click()
    visitor.panel("Sessions").locator("tbody button").first.click()
    visitor.panel("Metrics of the session").wait_for()
    assert found_by_axe(visitor.page, rules) == []
    visitor.open("#/simulations")
    visitor.page.locator("input[name=baseline]").nth(1).check()
    visitor.panel("Side by side").locator("tbody tr").first.wait_for()
    assert found_by_axe(visitor.page, rules) == []
    visitor.open("#/live")
    visitor.sign_in(ADMIN_TOKEN)
    visitor.panel("Capacity by tenant").locator("tbody tr").first.wait_for()
    assert found_by_axe(visitor.page, rules) == []


@pytest.mark.parametrize("width", [360, 900])
def test_nothing_is_wider_than_the_window(visit: Visit, demo_key: NewKey, width: int) -> None:
    visitor = visit(width=width)
    visitor.open("#/metrics")
    visitor.sign_in(demo_key.bearer)
    for place, panel in PLACES.values():
        visitor.open(place)
        expect(visitor.panel(panel).locator("tbody tr").first).to_be_visible()
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width, place


class Keyboard:
    """Somebody without a mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def tab_to(self, role: str, name: str) -> None:
        wanted = self._page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        # What is not there yet can neither be chosen nor be come to.
        expect(wanted).to_be_enabled()
        for _ in range(60):
            self._page.keyboard.press("Tab")
            if wanted.evaluate("each => each === document.activeElement"):
                return
        raise AssertionError(f"Tab does not come to {role} {name}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)


def test_the_keyboard_alone_suffices(visit: Visit, demo_key: NewKey) -> None:
    visitor = visit()
    visitor.open("#/metrics?m=sum:faq_query")
    keyboard = Keyboard(visitor.page)
    keyboard.tab_to("textbox", "Key or admin token")
    visitor.page.keyboard.type(demo_key.bearer)
    keyboard.press("Enter")
    # Past the navigation to what the page is about.
    keyboard.tab_to("link", "To the content")
    keyboard.press("Enter")
    keyboard.tab_to("combobox", "Group by")
    visitor.page.keyboard.type("topic")
    keyboard.press("Enter")
    expect(visitor.page.get_by_role("button", name="Do not group by topic")).to_be_visible()
    keyboard.tab_to("combobox", "Compare with")
    keyboard.press("ArrowDown")
    expect(visitor.page.get_by_role("columnheader", name="change")).to_be_visible()
    chart = visitor.panel("faq_query · sum").get_by_role("group")
    label = chart.get_attribute("aria-label")
    assert label
    keyboard.tab_to("group", label)
    keyboard.press("End")
    expect(visitor.panel("faq_query · sum").locator(".readout")).to_contain_text("so far")
    keyboard.press("ArrowLeft")
    expect(visitor.panel("faq_query · sum").locator(".readout")).not_to_contain_text("so far")
    expect(visitor.panel("faq_query · sum").locator(".legend .value").first).to_be_visible()
    # A group alone, by its button in the legend.
    keyboard.press("Tab", "Enter")
    expect(visitor.page.get_by_role("button", name="Remove the filter topic")).to_be_visible()


def test_where_the_focus_is_can_be_seen(analyst: Visitor) -> None:
    analyst.panel("The whole range").locator("tbody tr").first.wait_for()
    analyst.page.keyboard.press("Tab")
    for _ in range(12):
        analyst.page.keyboard.press("Tab")
        outline = analyst.page.evaluate(
            "(each => [each.outlineStyle, parseFloat(each.outlineWidth)])"
            "(getComputedStyle(document.activeElement))"
        )
        assert outline[0] != "none"
        assert outline[1] >= 2
