"""The pages look as their pictures do, loosely, in both themes, wide and narrow.

`VUMETER_TEST_RENEW_PICTURES=1` takes the pictures anew.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from tests.dashboard.conftest import Visit
from tests.dashboard.pictures import RENEWING, difference, keep
from tests.stack import ADMIN_TOKEN

from vumeter_server.access.keys import NewKey

PLACES = {
    "live": ("#/live", "Capacity by tenant"),
    "metrics": ("#/metrics?m=sum:faq_query&m=p95:ttft_ms&group=topic&range=14d", "The whole range"),
    "session": ("#/session?range=30d", "Sessions"),
    "simulations": ("#/simulations", "Executions"),
    "usage": ("#/usage", "Metrics"),
}
# A page in the other theme differs by more than half, one of another layout by a tenth.
LOOSELY = 0.05


@pytest.mark.parametrize("width", [1440, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PLACES)
def test_a_page_looks_as_its_picture(
    visit: Visit, browser: Browser, demo_key: NewKey, name: str, theme: str, width: int
) -> None:
    visitor = visit(width=width, color_scheme=theme)
    place, panel = PLACES[name]
    visitor.open(place)
    visitor.sign_in(ADMIN_TOKEN if name == "live" else demo_key.bearer)
    expect(visitor.panel(panel).locator("tbody tr").first).to_be_visible()
    expect(visitor.page.locator("[aria-busy=true]")).to_have_count(0)
    picture = visitor.page.screenshot()
    if RENEWING:
        keep(browser, f"{name}-{theme}-{width}", picture)
    assert difference(browser, f"{name}-{theme}-{width}", picture) < LOOSELY


def test_the_comparison_sees_another_theme(
    visit: Visit, browser: Browser, demo_key: NewKey
) -> None:
    visitor = visit(color_scheme="light")
    visitor.open("#/simulations")
    visitor.sign_in(demo_key.bearer)
    expect(visitor.panel("Executions").locator("tbody tr").first).to_be_visible()
    picture = visitor.page.screenshot()
    assert difference(browser, "simulations-dark-1440", picture) > 0.3
