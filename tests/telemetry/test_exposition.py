"""The text of a scrape: of several processes together, and by tenant."""

from __future__ import annotations

import pytest
from tests.telemetry.scraping import OPENMETRICS, Scraped

from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.counters import ZERO, Counter, Counters, counters
from vumeter_server.live_metrics.fold import Change, Listing
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.own_metrics import METRICS, exposition
from vumeter_server.telemetry.exposition import Gathering, ProcessExposition, Source
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.readings import WAL_BYTES, Readings
from vumeter_server.telemetry.tenants import render_tenants

BOTH = pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "OpenMetrics"])
CALLS = counters(
    [
        (Counter.ACCEPTED, 9),
        (Counter.REJECTED_CAPACITY, 2),
        (Counter.STARTED, 8),
        (Counter.ENDED, 7),
        (Counter.FAILED, 3),
        (Counter.TIMED_OUT, 1),
        (Counter.BUSY, 1),
        (Counter.MINUTES, 90_500),
    ]
)


def process(worker: int, points: int) -> ProcessExposition:
    instruments = Instruments(worker, ["clock"])
    instruments.recorded_points.inc(points)
    instruments.committed(3, 0.004, 0.002)
    return ProcessExposition(instruments.registry)


def silent(accept: str) -> str:
    raise ConnectionRefusedError("nobody listens")


@BOTH
def test_one_scrape_shows_the_series_of_every_process(accept: str) -> None:
    sources: dict[int, Source] = {number: process(number, 10 * number) for number in (1, 2, 3)}
    text, _ = Gathering(sources).scrape(accept)
    found = Scraped(text)
    for worker in ("1", "2", "3"):
        assert found.value("vumeter_recorded_points_total", worker=worker) == 10 * int(worker)
        assert found.value("vumeter_commit_duration_seconds_count", worker=worker) == 1
        assert found.value("vumeter_worker_up", worker=worker) == 1
        assert found.value("process_resident_memory_bytes", worker=worker) > 0
    assert found.types["vumeter_commit_duration_seconds"] == "histogram"


@BOTH
def test_a_process_that_does_not_answer_is_down_and_the_others_are_shown(accept: str) -> None:
    text, _ = Gathering({1: process(1, 10), 2: silent}).scrape(accept)
    found = Scraped(text)
    assert [found.value("vumeter_worker_up", worker=worker) for worker in "12"] == [1, 0]
    assert found.value("vumeter_recorded_points_total") == 10


def test_when_no_process_answers_the_scrape_says_so() -> None:
    text, _ = Gathering({1: silent, 2: silent}).scrape("")
    assert Scraped(text).series.keys() == {
        ("vumeter_worker_up", (("worker", worker),)) for worker in "12"
    }


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html, */*", "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(accept: str, content_type: str) -> None:
    text, given = Gathering({1: process(1, 1)}).scrape(accept)
    assert given.startswith(content_type)
    assert text.endswith("# EOF\n") == given.startswith("application/openmetrics-text")


def test_what_cannot_be_read_is_left_out_and_the_rest_is_shown() -> None:
    def fail() -> float:
        raise FileNotFoundError("vumeter.db-wal")

    instruments = Instruments()
    instruments.registry.register(Readings({WAL_BYTES: fail}, {"version": "1.2.3"}))
    found = Scraped(ProcessExposition(instruments.registry)(""))
    assert found.labels("vumeter_wal_bytes") == []
    assert found.labels("vumeter_build_info") == [{"worker": "1", "version": "1.2.3"}]


@BOTH
def test_tenants_have_their_own_series_whatever_their_ids(accept: str) -> None:
    ids = ["tenant_123", 'quote"back\\slash', "space, {brace}", "Zahnärzte Köln", "\\n"]
    numbers = (*CALLS, 1, 3, 2)
    text = render_tenants(METRICS, [(each, numbers) for each in ids], openmetrics=bool(accept))
    found = Scraped(text + ("# EOF\n" if accept else ""))
    for tenant_id in ids:
        assert found.value("vumeter_live_active_calls", tenant_id=tenant_id) == 1
        assert found.value("vumeter_live_accepted_calls_total", tenant_id=tenant_id) == 9
        assert found.value("vumeter_live_call_duration_seconds_total", tenant_id=tenant_id) == 90.5


def view_of(totals: Counters, *tenants: str, active: int = 1) -> LiveView:
    view = LiveView()
    listings: dict[str, Listing | None] = {
        f"{tenant_id}-{number}": Listing(tenant_id, CallStage.ACTIVE)
        for tenant_id in tenants
        for number in range(active)
    }
    view.apply(Change(listings=listings, totals=dict.fromkeys(tenants, totals)))
    return view


async def test_ends_are_split_by_outcome_and_add_up() -> None:
    view = view_of(CALLS, "tenant_123")
    found = Scraped(exposition(view, by_tenant=True)(False))
    ended = {
        labels["outcome"]: found.value("vumeter_live_ended_calls_total", **labels)
        for labels in found.labels("vumeter_live_ended_calls_total")
    }
    # Of three failed calls one timed out.
    assert ended == {"completed": 3, "failed": 2, "timed_out": 1, "busy": 1}
    assert sum(ended.values()) == CALLS[Counter.ENDED]


async def test_a_counter_that_is_0_has_no_series() -> None:
    view = view_of(ZERO, "tenant_123", active=2)
    found = Scraped(exposition(view, by_tenant=True)(False))
    assert {name for name, _ in found.series} == {"vumeter_live_active_calls"}


@BOTH
async def test_without_tenants_all_are_one_series(accept: str) -> None:
    view = view_of(CALLS, "tenant_123", "tenant_456")
    text = exposition(view, by_tenant=False)(bool(accept)) + ("# EOF\n" if accept else "")
    found = Scraped(text)
    assert "tenant" not in text.replace("tenant_not_configured", "")
    assert found.value("vumeter_live_active_calls") == 2
    assert found.value("vumeter_live_rejected_calls_total", reason="capacity") == 4
    assert found.labels("vumeter_live_rejected_calls_total") == [{"reason": "capacity"}]
