"""Own metrics of the running product change by what is done, and by that much."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from tests.end_to_end.callers import Caller
from tests.end_to_end.conftest import new_name, with_key
from tests.stack import Stack
from tests.telemetry.scraping import OPENMETRICS, Scraped, scrape
from tests.waiting import until

from vumeter_server.access.roles import Role

RECORDING = "/v1/custom-metrics"
REST = "vumeter.custom_metrics.v1.CustomMetricsRestService"
TYPED = "vumeter.custom_metrics.v1.CustomMetricsService"
NOON = "2025-04-01T12:00:00Z"


def points(count: int, **more: Any) -> list[dict[str, Any]]:
    point = {"name": "booking_attempt", "value": 1, "timestamp": NOON, **more}
    return [point] * count


class Scrapes:
    """By how much series change while a test does something; others use the product too."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.metrics_url
        self._before = scrape(self._url)

    def change(self, name: str, **labels: str) -> float:
        return scrape(self._url).value(name, **labels) - self._before.value(name, **labels)

    def change_of_requests(self, method: str, code: str) -> float:
        return self.change("vumeter_requests_total", method=method, code=code)


@pytest.fixture
def scrapes(stack: Stack) -> Scrapes:
    return Scrapes(stack)


def test_calls_are_counted_by_method_and_code_on_both_apis(
    owner: Caller, anybody: Caller, scrapes: Scrapes
) -> None:
    query = "startDate=2025-04-01&endDate=2025-04-02"
    for _ in range(2):
        assert owner.get(f"{RECORDING}/aggregate?{query}").status == 200
    assert owner.get(f"{RECORDING}/aggregate?startDate=x").status == 400
    assert anybody.get(f"{RECORDING}/names").status == 401
    assert scrapes.change_of_requests(f"{REST}.GetAggregate", "OK") == 2
    assert scrapes.change_of_requests(f"{REST}.GetAggregate", "INVALID_ARGUMENT") == 1
    assert scrapes.change_of_requests(f"{REST}.GetNames", "UNAUTHENTICATED") == 1
    seconds = "vumeter_request_duration_seconds"
    assert scrapes.change(f"{seconds}_count", method=f"{REST}.GetAggregate") == 3
    assert scrapes.change(f"{seconds}_bucket", method=f"{REST}.GetAggregate", le="+Inf") == 3
    assert scrapes.change(f"{seconds}_sum", method=f"{REST}.GetAggregate") > 0


def test_recorded_and_rejected_points_are_counted_by_reason(
    owner: Caller, scrapes: Scrapes
) -> None:
    assert owner.post(RECORDING, {"points": points(5)}).status == 200
    assert owner.post(RECORDING, {"points": points(3), "dryRun": True}).status == 200
    assert owner.post(RECORDING, {"points": points(2, type="gauge")}).status == 400
    assert owner.post(RECORDING, {"points": points(4, value=-1)}).status == 400
    ahead = [{**each, "timestamp": "2125-04-01T12:00:00Z"} for each in points(6)]
    assert owner.post(RECORDING, {"points": ahead}).status == 400
    assert scrapes.change("vumeter_recorded_points_total") == 5
    rejected = {
        reason: (
            scrapes.change("vumeter_rejected_recordings_total", reason=reason),
            scrapes.change("vumeter_rejected_points_total", reason=reason),
        )
        for reason in ("clock", "type", "malformed", "limit")
    }
    assert rejected == {"clock": (1, 6), "type": (1, 2), "malformed": (1, 4), "limit": (0, 0)}


def test_a_commit_is_measured(owner: Caller, scrapes: Scrapes) -> None:
    for _ in range(3):
        owner.post(RECORDING, {"points": points(1)})
    # What others do counts too.
    assert scrapes.change("vumeter_committed_jobs_total") >= 3
    assert scrapes.change("vumeter_commit_duration_seconds_count") >= 3
    assert scrapes.change("vumeter_commit_duration_seconds_sum") > 0
    assert scrapes.change("vumeter_transaction_duration_seconds_count") >= 3


def event(tenant_id: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"{tenant_id}-{kind}",
        "type": kind,
        "call_id": f"{tenant_id}-call",
        "tenant_id": tenant_id,
        "occurred_at": NOON,
        **more,
    }


def test_live_metrics_are_there_by_tenant(anybody: Caller, scrapes: Scrapes) -> None:
    tenant_id = f'Scraped "{new_name()}"'
    reporter = with_key(anybody, new_name(), Role.REPORTER)
    events = [event(tenant_id, "accepted"), event(tenant_id, "started")]
    assert reporter.post("/api/v1/metrics/events", {"events": events}).status == 200
    assert scrapes.change("vumeter_live_active_calls", tenant_id=tenant_id) == 1
    assert scrapes.change("vumeter_recorded_events_total") == 2
    ended = event(tenant_id, "ended", outcome="busy", minutes=1.5)
    assert reporter.post("/api/v1/metrics/events", {"events": [ended]}).status == 200
    assert scrapes.change("vumeter_live_active_calls", tenant_id=tenant_id) == 0
    of_tenant = {"tenant_id": tenant_id}
    assert scrapes.change("vumeter_live_ended_calls_total", outcome="busy", **of_tenant) == 1
    assert scrapes.change("vumeter_live_call_duration_seconds_total", **of_tenant) == 90


def test_watchers_are_counted_while_they_watch(anybody: Caller, scrapes: Scrapes) -> None:
    operator = with_key(anybody, new_name(), Role.OPERATOR)
    url = f"{anybody.stack.rest_url}/api/v1/metrics/watch"
    headers = {"authorization": operator.credentials["authorization"]}
    with requests.get(url, headers=headers, stream=True, timeout=10) as answer:
        assert answer.status_code == 200
        until(lambda: scrapes.change("vumeter_watchers") == 1)
        watch = "vumeter.live_metrics.v1.LiveMetricsRestService.WatchMetrics"
        assert scrapes.change("vumeter_requests_in_flight", method=watch) == 1
    until(lambda: scrapes.change("vumeter_watchers") == 0)
    until(lambda: scrapes.change("vumeter_requests_in_flight", method=watch) == 0)
    assert scrapes.change_of_requests(watch, "CANCELLED") == 1
    assert scrapes.change("vumeter_request_duration_seconds_count", method=watch) == 0


def test_sizes_and_states_are_read_at_the_scrape(owner: Caller, stack: Stack) -> None:
    assert owner.post(RECORDING, {"points": points(100)}).status == 200
    found = scrape(stack.metrics_url, OPENMETRICS)
    assert found.value("vumeter_database_bytes") == stack.db_path.stat().st_size
    assert found.value("vumeter_wal_bytes") > 0
    assert found.value("vumeter_disk_free_bytes") > 0
    assert found.value("vumeter_clock_trusted") == 1
    assert abs(found.value("vumeter_clock_offset_seconds")) < 60
    assert found.value("vumeter_storage_damaged") == 0
    assert [each["pool"] for each in found.labels("vumeter_reader_queue_queries")] == [
        "quick",
        "heavy",
    ]
    (build,) = found.labels("vumeter_build_info")
    assert build.keys() == {"version", "python_version", "sqlite_version", "grpc_version", "worker"}


def test_caches_grow_by_what_is_asked(owner: Caller, scrapes: Scrapes) -> None:
    assert owner.post(RECORDING, {"points": points(2_000)}).status == 200
    query = "startDate=2025-04-01&endDate=2025-04-02"
    assert owner.get(f"{RECORDING}/aggregate?{query}").status == 200
    assert scrapes.change("vumeter_cache_bytes", cache="organizations") >= 2_000 * 50
    assert scrapes.change("vumeter_cached_organizations") == 1


def test_no_secret_and_no_organization_is_in_a_scrape(owner: Caller, stack: Stack) -> None:
    assert owner.post(RECORDING, {"points": points(1, name="cost_of_acme")}).status == 200
    text = scrape(stack.metrics_url).text
    for secret in owner.credentials.values():
        assert secret not in text
    assert "cost_of_acme" not in text
    labels = {key for _, at in Scraped(text).series for key, _ in at}
    assert labels == {
        *("cache", "code", "le", "method", "outcome", "pool", "reason", "tenant_id", "worker"),
        *("grpc_version", "python_version", "sqlite_version", "version"),
    }
