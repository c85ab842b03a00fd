"""Days on which clocks change have 23 and 25 hours."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import requests
from playwright.sync_api import expect
from tests.dashboard.browser import ZONE, Visitor
from tests.dashboard.conftest import Visit

from vumeter_server.access.keys import NewKey

HOUR = timedelta(hours=1)


def changes() -> Iterator[tuple[datetime, int]]:
    """Return the last days on which clocks changed, with their hours."""
    zone = ZoneInfo(ZONE)
    today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for back in range(1, 370):
        day = (today - timedelta(days=back)).replace(tzinfo=zone)
        hours = ((day + timedelta(days=1)).astimezone(UTC) - day.astimezone(UTC)) // HOUR
        if hours != 24:
            yield day, hours


CHANGES = {hours: day for day, hours in changes()}


@pytest.fixture
def visitor(visit: Visit, nobody: NewKey) -> Visitor:
    """Somebody who recorded a point in each hour of both days."""
    points = [
        {"name": "calls", "timestamp": (day.astimezone(UTC) + hour * HOUR).isoformat()}
        for hours, day in CHANGES.items()
        for hour in range(hours)
    ]
    visitor = visit()
    recorded = requests.post(
        f"{visitor.stack.rest_url}/v1/custom-metrics",
        json={"points": points},
        headers={"authorization": f"Bearer {nobody.bearer}"},
        timeout=30,
    )
    assert recorded.status_code == 200, recorded.text
    visitor.open()
    visitor.sign_in(nobody.bearer)
    return visitor


@pytest.mark.parametrize("hours", [23, 25])
def test_a_day_has_a_bar_for_each_of_its_hours(visitor: Visitor, hours: int) -> None:
    day = CHANGES[hours]
    start, end = day.date(), day.date() + timedelta(days=1)
    visitor.open(f"#/metrics?zone={ZONE}&m=sum:calls&step=1h&from={start}&to={end}")
    panel = visitor.panel("calls · sum")
    expect(panel.locator("figure")).to_have_attribute("data-buckets", str(hours))
    saved = list(csv.DictReader(io.StringIO(visitor.saved_csv("calls · sum"))))
    assert [float(row["sum_calls"]) for row in saved] == [1] * hours
    starts = [datetime.fromisoformat(row["start"]) for row in saved]
    assert starts == [day.astimezone(UTC) + hour * HOUR for hour in range(hours)]
    # The hour that is skipped is not read out, the one that occurs twice is, twice.
    panel.get_by_role("group").focus()
    read = []
    for _ in range(hours):
        visitor.page.keyboard.press("ArrowRight")
        text = panel.locator(".readout").inner_text()
        read.append(text.partition(", ")[2].partition(" to ")[0])
    assert read == [start.astimezone(ZoneInfo(ZONE)).strftime("%H:%M") for start in starts]


@pytest.mark.parametrize("hours", [23, 25])
def test_it_is_one_day_among_days(visitor: Visitor, hours: int) -> None:
    day = CHANGES[hours]
    start, end = day.date() - timedelta(days=3), day.date() + timedelta(days=4)
    visitor.open(f"#/metrics?zone={ZONE}&m=sum:calls&step=day&from={start}&to={end}")
    panel = visitor.panel("calls · sum")
    expect(panel.locator("figure")).to_have_attribute("data-buckets", "7")
    panel.get_by_role("group").focus()
    for _ in range(4):
        visitor.page.keyboard.press("ArrowRight")
    expect(panel.locator(".readout")).to_contain_text(f"{day:%a} {day.day} {day:%b}")
    expect(panel.locator(".readout .value")).to_have_text(str(hours))
