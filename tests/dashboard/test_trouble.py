"""What is shown when there is nothing, too much, or no server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Route, expect
from tests.dashboard.browser import Visitor
from tests.dashboard.conftest import Visit
from tests.stack import ADMIN_TOKEN, Stack, start_stack

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role


def paste(visitor: Visitor) -> None:
    """Copy the commands that the page shows and run them in a shell."""
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.page.get_by_role("button", name="Copy", exact=True).click()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["bash", "-euc", copied], capture_output=True, text=True, check=True)
    assert '"code"' not in done.stdout


def test_an_empty_organization_is_shown_how_to_record_and_what_arrives(
    visit: Visit, nobody: NewKey
) -> None:
    visitor = visit()
    visitor.open()
    visitor.sign_in(nobody.bearer)
    expect(visitor.panel("Record the first point")).to_be_visible()
    assert nobody.secret not in visitor.page.content()
    paste(visitor)
    expect(visitor.panel("booking_attempt · sum")).to_be_visible()
    expect(visitor.panel("e2e_latency_ms · p95").locator(".chart")).to_be_visible()
    visitor.page.get_by_role("link", name="Session").click()
    visitor.page.get_by_role("button", name="session_1").click()
    expect(visitor.panel("Time line").locator(".mark")).to_have_count(1)
    visitor.page.get_by_role("link", name="Simulations").click()
    paste(visitor)
    expect(visitor.panel("Executions").locator("tbody tr")).to_have_count(1)


def test_a_server_without_a_call_is_shown_how_to_report_one(
    visit: Visit, browser: Browser, tmp_path: Path
) -> None:
    empty = start_stack(tmp_path)
    try:
        reader = visit(empty)
        reader.open()
        reader.sign_in(empty.make_key("acme", Role.OPERATOR).bearer)
        # An operator may not report: what is shown takes the key of somebody who may.
        shown = reader.panel("Record the first call")
        expect(shown).to_contain_text("--role reporter")
        expect(shown.get_by_label("Commands")).to_contain_text("$VUMETER_REPORTER_KEY")
        visitor = visit(empty)
        visitor.open()
        visitor.sign_in(ADMIN_TOKEN)
        expect(visitor.panel("Record the first call")).to_be_visible()
        paste(visitor)
        expect(visitor.page.locator("[data-counter=active_calls]")).to_contain_text("1")
        expect(visitor.panel("Record the first call")).to_have_count(0, timeout=20_000)
    finally:
        empty.stop()


def test_a_server_that_is_gone_is_told_and_found_again(
    visit: Visit, browser: Browser, tmp_path: Path
) -> None:
    stack = start_stack(tmp_path)
    key = stack.make_key("acme", Role.OWNER)
    requests.post(
        f"{stack.rest_url}/v1/custom-metrics",
        json={"points": [{"name": "calls"}]},
        headers={"authorization": f"Bearer {key.bearer}"},
        timeout=30,
    ).raise_for_status()
    visitor = visit(stack)
    visitor.open()
    visitor.sign_in(key.bearer)
    expect(visitor.panel("calls · sum")).to_be_visible()
    visitor.page.get_by_role("link", name="Live").click()
    visitor.sign_in(ADMIN_TOKEN)
    expect(visitor.page.locator(".state.live")).to_be_visible()
    stack.stop()
    expect(visitor.page.locator(".state.lost")).to_have_text("Connection lost, trying again")
    visitor.page.get_by_role("link", name="Metrics").click()
    expect(visitor.page.get_by_role("alert").first).to_contain_text("The server cannot be reached")
    visitor.page.get_by_role("link", name="Live").click()
    port = stack.rest_url.rpartition(":")[2]
    again = start_stack(tmp_path, "--rest-port", port)
    try:
        expect(visitor.page.locator(".state.live")).to_be_visible(timeout=40_000)
        visitor.page.get_by_role("link", name="Metrics").click()
        expect(visitor.panel("calls · sum").locator(".chart")).to_be_visible()
    finally:
        again.stop()


def test_a_hundred_groups_and_the_others(visit: Visit, demo: Stack, nobody: NewKey) -> None:
    points = [
        {"name": "calls", "value": 200 - number, "tags": {"branch": f"branch {number:03}"}}
        for number in range(150)
    ]
    requests.post(
        f"{demo.rest_url}/v1/custom-metrics",
        json={"points": points},
        headers={"authorization": f"Bearer {nobody.bearer}"},
        timeout=30,
    ).raise_for_status()
    visitor = visit()
    visitor.open("#/metrics?m=sum:calls&group=branch&top=100&range=24h&step=1h")
    visitor.sign_in(nobody.bearer)
    shown = visitor.cells("The whole range")
    assert [row[0] for row in shown] == [f"branch {n:03}" for n in range(100)] + ["All others"]
    assert shown[-1][1] == f"{sum(200 - number for number in range(100, 150)):,}"
    panel = visitor.panel("calls · sum")
    expect(panel.locator("header")).to_contain_text("100 of 150 groups")
    expect(panel.locator(".legend li")).to_have_count(101)
    assert panel.locator(".legend").evaluate("each => each.clientHeight") < 200


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (
            "#/metrics?m=sum:calls&from=2025-04-02&to=2025-04-01",
            "The end must be after the start",
        ),
        ("#/metrics?m=sum:faq_query&range=365d&step=1m", "11,000"),
        ("#/session?session=nothing-of-that-name", "No point was recorded with this session."),
        ("#/simulations?run=unknown", "Run test not found."),
    ],
)
def test_what_cannot_be_shown_says_why(analyst: Visitor, place: str, text: str) -> None:
    analyst.open(place)
    expect(analyst.page.locator("main")).to_contain_text(text)


def test_no_data_is_a_gap_and_not_zero(visit: Visit, nobody: NewKey, demo: Stack) -> None:
    requests.post(
        f"{demo.rest_url}/v1/custom-metrics",
        json={"points": [{"name": "calls"}, {"name": "wait_ms", "type": "histogram", "value": 5}]},
        headers={"authorization": f"Bearer {nobody.bearer}"},
        timeout=30,
    ).raise_for_status()
    visitor = visit()
    visitor.open("#/metrics?m=sum:calls&m=p95:wait_ms&range=24h&step=1h&compare=previous")
    visitor.sign_in(nobody.bearer)
    chart = visitor.panel("calls · sum")
    chart.get_by_role("group").focus()
    visitor.page.keyboard.press("Home")
    expect(chart.locator(".legend .value").first).to_have_text("–")
    visitor.page.keyboard.press("End")
    expect(chart.locator(".legend .value").first).to_have_text("1")
    ((_, calls, before, change, wait, *_),) = visitor.cells("The whole range")
    assert (calls, before, change, wait) == ("1", "–", "–", "5 ms n=1")
    expect(visitor.page.locator("td.pale")).to_have_count(1)


def test_labels_can_be_chosen_once_they_are_known(visit: Visit, demo_key: NewKey) -> None:
    visitor = visit()
    held: list[Route] = []
    labels = "**/v1/custom-metrics/tags*"

    def hold(route: Route) -> None:
        held.append(route)

    visitor.page.route(labels, hold)
    visitor.open("#/metrics?m=sum:faq_query")
    visitor.sign_in(demo_key.bearer)
    expect(visitor.panel("faq_query · sum").locator(".chart")).to_be_visible()
    adding = visitor.page.get_by_role("button", name="+ Filter")
    expect(visitor.choice("Group by")).to_be_disabled()
    expect(adding).to_be_disabled()
    held.pop().fulfill(status=503, json={"code": 14, "message": "Labels are away."})
    expect(visitor.page.get_by_role("alert")).to_contain_text("Labels are away.")
    with visitor.page.expect_request(labels):
        visitor.page.get_by_role("button", name="Try again").click()
    expect(visitor.choice("Group by")).to_be_disabled()
    held.pop().continue_()
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    visitor.choice("Group by").select_option("topic")
    expect(visitor.page.get_by_role("button", name="Do not group by topic")).to_be_visible()
    adding.click()
    expect(visitor.choice("Label").locator("option").first).to_have_text("branch_id")
