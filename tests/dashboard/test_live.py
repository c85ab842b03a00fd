"""Live counters move by themselves, and rest while nobody looks."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import requests
from playwright.sync_api import expect
from tests.dashboard.browser import Visitor
from tests.dashboard.conftest import Visit
from tests.stack import ADMIN_TOKEN, Stack

_numbers = count(1)


def report(stack: Stack, tenant: str, *types: str, **more: Any) -> None:
    call = f"call-{next(_numbers)}"
    stamp = datetime.now(UTC).isoformat()
    events = [
        {
            "event_id": f"{tenant}-{call}-{type_}",
            "type": type_,
            "call_id": f"{tenant}-{call}",
            "tenant_id": tenant,
            "occurred_at": stamp,
        }
        | more
        for type_ in types
    ]
    answer = requests.post(
        f"{stack.rest_url}/api/v1/metrics/events",
        json={"events": events},
        headers={"x-admin-token": stack.admin_token},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


def watching(visit: Visit, tenant: str) -> Visitor:
    visitor = visit()
    visitor.open(f"#/live?tenant={tenant}")
    visitor.sign_in(ADMIN_TOKEN)
    expect(visitor.page.locator(".state.live")).to_be_visible()
    return visitor


def test_an_event_moves_the_counters_without_being_asked_for(visit: Visit, demo: Stack) -> None:
    report(demo, "moves", "accepted")
    visitor = watching(visit, "moves")
    active = visitor.page.locator("[data-counter=active_calls]")
    expect(active).to_contain_text("0")
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    report(demo, "moves", "accepted", "started")
    expect(active).to_contain_text("1")
    report(demo, "moves", "rejected", reason="capacity")
    expect(visitor.panel("Counters").locator(".figure", has_text="Rejected")).to_contain_text("1")
    # The stream brought them: what is asked now and then has no counters.
    assert not [url for url in asked if "/live" in url or "/watch" in url]


def test_nothing_is_asked_while_the_tab_is_hidden(visit: Visit, demo: Stack) -> None:
    visitor = watching(visit, "hidden")
    show = """hidden => {
        Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with visitor.page.expect_event("requestfailed", lambda request: "/watch" in request.url):
        visitor.page.evaluate(show, True)
    expect(visitor.page.locator(".state.paused")).to_be_visible()
    report(demo, "hidden", "accepted", "started")
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    # Longer than the tenants are asked for otherwise.
    visitor.page.wait_for_timeout(6000)
    assert asked == []
    visitor.page.evaluate(show, False)
    expect(visitor.page.locator("[data-counter=active_calls]")).to_contain_text("1")
    expect(visitor.page.locator(".state.live")).to_be_visible()


def test_capacity_names_tenants_by_how_busy_they_are(visit: Visit, demo: Stack) -> None:
    for _ in range(9):
        report(demo, "busy", "accepted", "started")
    report(demo, "busy", "pending")
    visitor = watching(visit, "")
    assert visitor.cells("Capacity by tenant")[0][:3] == ["busy", "9", "–"]
    visitor.panel("Capacity by tenant").get_by_role("button", name="busy").click()
    expect(visitor.choice("Tenant")).to_have_value("busy")
    states = {name: number for name, number, _ in visitor.cells("Calls by state")}
    assert states == {"Pending": "1", "Accepted, not started": "0", "Active": "9"}
