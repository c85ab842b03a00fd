"""What the dashboard takes: the first paint, the data of a page, the server's time for ten of them.

A real Chromium opens it. Without Playwright and Chromium nothing is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from bench.dataset import COUNTERS, HISTOGRAMS
from bench.engines.vumeter import Vumeter
from bench.live_events import batches, send, whole_calls
from bench.report import Measured, bounded
from bench.run import Run, Section
from bench.stack import ADMIN_TOKEN, Stack, children_of, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LOADS = 7
EVENTS = 10
DASHBOARDS = 10
EVENTS_A_SECOND = 100
WATCHED_SECONDS = 20.0
METRICS = f"m=sum:{COUNTERS[0]}&m=p95:{HISTOGRAMS[0]}"
PAGES = {
    "metrics, 7 days": f"#/metrics?zone=UTC&{METRICS}&range=7d",
    "metrics by company, 30 days, against the period before": (
        f"#/metrics?zone=UTC&{METRICS}&range=30d&group=company_id&compare=previous"
    ),
    "sessions of a day": "#/session?zone=UTC&range=24h",
    "usage": "#/usage?zone=UTC",
}


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="dashboard",
            title="Dashboard",
            note=(
                "In Chromium on the same machine, medians of new profiles. The data of a page is"
                " there when the last request of the API that it needs is answered, from when the"
                " first one was sent. Processor time is that of supervisor and server."
            ),
            measure=measure,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Start a product on the data set, and look at it."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError:
        run.say("without playwright the dashboard is not measured")
        return
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        run.say("without Chromium the dashboard is not measured")
        return
    directory = run.loaded(Vumeter)
    with running(directory / "vumeter.db") as stack, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield from _pages(stack, browser)
        yield from _moved(stack, browser)
        yield from _watched(stack, browser)
        browser.close()


def _open(stack: Stack, browser: Browser, place: str) -> Page:
    """Open a page in a new profile that is signed in."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    owner: dict[str, Any] = {"role": "owner", "tenantId": None}
    token: dict[str, Any] = {"role": "admin_token", "tenantId": None}
    credentials = json.dumps(
        {
            "organization": {"secret": stack.bearer, "caller": owner},
            "live": {"secret": ADMIN_TOKEN, "caller": token},
        }
    )
    page.add_init_script(f"sessionStorage['vumeter.credentials'] = {json.dumps(credentials)}")
    page.goto(f"{stack.rest_url}/ui/{place}")
    return page


def _pages(stack: Stack, browser: Browser) -> Iterator[Measured]:
    paints: list[float] = []
    for name, place in PAGES.items():
        took = []
        for _ in range(LOADS):
            page = _open(stack, browser, place)
            page.wait_for_load_state("networkidle")
            paint, data = page.evaluate(
                """async () => {
                    const painted = await new Promise((done) => new PerformanceObserver((list) =>
                        list.getEntriesByName("first-contentful-paint").forEach(done)
                    ).observe({type: "paint", buffered: true}));
                    const asked = performance.getEntriesByType("resource")
                        .filter((each) => !each.name.includes("/ui/"));
                    const first = Math.min(...asked.map((each) => each.startTime));
                    const last = Math.max(...asked.map((each) => each.responseEnd));
                    return [painted.startTime, last - first];
                }"""
            )
            paints.append(paint)
            took.append(data)
            page.context.close()
        yield bounded(
            what=f"data of a page: {name}", value=statistics.median(took), unit="ms", limit=300
        )
    yield bounded(what="first paint", value=statistics.median(paints), unit="ms", limit=500)


def _moved(stack: Stack, browser: Browser) -> Iterator[Measured]:
    """Measure how long after an event was sent a live page shows it."""
    page = _open(stack, browser, "#/live?zone=UTC&tenant=moved")
    page.locator(".state.live").wait_for()
    took = []
    for number in range(1, EVENTS + 1):
        event = {
            "event_id": f"moved-{number}",
            "type": "started",
            "call_id": f"moved-{number}",
            "tenant_id": "moved",
            "occurred_at": datetime.now(UTC).isoformat(),
        }
        began = time.perf_counter()
        requests.post(
            f"{stack.rest_url}/api/v1/metrics/events",
            json={"events": [event]},
            headers={"X-Admin-Token": ADMIN_TOKEN},
            timeout=60,
        ).raise_for_status()
        counter = page.locator("[data-counter=active_calls]", has_text=re.compile(rf"\b{number}\b"))
        counter.wait_for()
        took.append(time.perf_counter() - began)
    page.context.close()
    yield bounded(
        what=f"an event on a live page, the slowest of {EVENTS}",
        value=1_000 * max(took),
        unit="ms",
        limit=1_000,
    )


def _watched(stack: Stack, browser: Browser) -> Iterator[Measured]:
    """Measure what live pages add to the server's work while events come in."""
    alone = _busy_share(stack, "alone")
    pages = [_open(stack, browser, "#/live?zone=UTC") for _ in range(DASHBOARDS)]
    for page in pages:
        page.locator(".state.live").wait_for()
    watched = _busy_share(stack, "watched")
    for page in pages:
        page.context.close()
    yield bounded(
        what=f"{DASHBOARDS} live pages at {EVENTS_A_SECOND} events/s, added to the server's work",
        value=100 * (watched - alone),
        unit="% of a core",
        limit=5,
    )


def _busy_share(stack: Stack, name: str) -> float:
    """Return the share of a core that supervisor and servers take while events come in."""
    number = int(EVENTS_A_SECOND * WATCHED_SECONDS)
    made = list(batches(whole_calls(f"{name}-{time.time_ns()}", number // 6), 10))
    sending = threading.Thread(
        target=lambda: asyncio.run(send(stack.grpc_target, made, EVENTS_A_SECOND))
    )
    pids = [stack.pid, *(pid for pid in children_of(stack.pid) if "envoy" not in _command(pid))]
    sending.start()
    before, began = sum(map(_processor_seconds, pids)), time.perf_counter()
    sending.join()
    return (sum(map(_processor_seconds, pids)) - before) / (time.perf_counter() - began)


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
