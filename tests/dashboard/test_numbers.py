"""Each page shows the numbers that the API answers, and saves the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import requests
from playwright.sync_api import expect
from tests.dashboard.browser import ZONE, Visitor, number
from tests.dashboard.conftest import Visit
from tests.stack import ADMIN_TOKEN, Stack

from vumeter_server.access.keys import NewKey

Ask = Callable[..., requests.Response]
QUERY = "/v1/custom-metrics/query"
RUN_TESTS = "/sdk/api/v1/simulation"


def days_that_are_over(ask: Ask) -> tuple[str, str]:
    """Return a range of whole days with demo data: from the first of them to today."""
    rows = ask(
        QUERY,
        {
            "startDate": "2020-01-01",
            "endDate": "2029-01-01",
            "timezone": ZONE,
            "step": "day",
            "metrics": [{"as": "n", "metric": "faq_query", "function": "count"}],
        },
    ).json()["data"]["rows"]
    return rows[0]["start"][:10], rows[-1]["start"][:10]


def query_of(ask: Ask, **more: Any) -> dict[str, Any]:
    start, end = days_that_are_over(ask)
    metrics = [
        {"as": "sum_faq_query", "metric": "faq_query", "function": "sum"},
        {
            "as": "p95_ttft_ms",
            "metric": "ttft_ms",
            "function": "percentile",
            "percentile": 95,
        },
    ]
    return {
        "startDate": start,
        "endDate": end,
        "timezone": ZONE,
        "metrics": metrics,
        "groupBy": ["topic"],
        "limit": 5,
        "other": True,
        "compareTo": "7d",
    } | more


def place_of(query: dict[str, Any]) -> str:
    return (
        f"#/metrics?zone={ZONE}&m=sum:faq_query&m=p95:ttft_ms&group=topic&top=5&compare=7d"
        f"&step=day&from={query['startDate']}&to={query['endDate']}"
    )


def test_metrics_over_the_whole_range(analyst: Visitor, asking: Ask) -> None:
    query = query_of(asking)
    analyst.open(place_of(query))
    rows = asking(QUERY, query).json()["data"]["rows"]
    expect(
        analyst.page.get_by_role("table", name="The whole range").locator("tbody tr")
    ).to_have_count(len(rows))
    for cells, row in zip(analyst.cells("The whole range"), rows, strict=True):
        topic, total, before, change, p95, *_ = cells
        assert topic == (
            "All others" if row["labels"]["topic"] is None else row["labels"]["topic"] or "no topic"
        )
        for text, value in (
            (total, row["values"]["sum_faq_query"]),
            (before, row["previous"]["sum_faq_query"]),
            (p95, row["values"]["p95_ttft_ms"]),
        ):
            assert text == "–" if value is None else abs(number(text) - value) <= 0.005
        if None in (row["values"]["sum_faq_query"], row["previous"]["sum_faq_query"]):
            assert change == "–"
        if row["values"]["p95_ttft_ms"] is not None:
            assert p95.endswith(f"n={row['counts']['p95_ttft_ms']:,}")


def test_metrics_over_time(analyst: Visitor, asking: Ask) -> None:
    query = query_of(asking, step="day", fill="null")
    analyst.open(place_of(query))
    rows = asking(QUERY, query).json()["data"]["rows"]
    chart = analyst.panel("faq_query · sum").get_by_role("group")
    chart.focus()
    for day in sorted({row["start"] for row in rows})[:3]:
        analyst.page.keyboard.press("ArrowRight")
        of_day = {
            row["labels"]["topic"]: row["values"]["sum_faq_query"]
            for row in rows
            if row["start"] == day
        }
        shown = {
            line.locator("button, span").first.inner_text(): line.locator(".value").inner_text()
            for line in analyst.panel("faq_query · sum").locator(".legend li").all()
        }
        assert shown == {
            "All others" if topic is None else topic or "no topic": "–"
            if value is None
            else f"{value:,}"
            for topic, value in of_day.items()
        }


def test_what_is_saved_is_what_the_api_answers(analyst: Visitor, asking: Ask) -> None:
    query = query_of(asking)
    analyst.open(place_of(query))
    expect(analyst.panel("The whole range").locator("tbody tr").first).to_be_visible()
    assert (
        analyst.saved_csv("The whole range")
        == asking(QUERY, query, accept="text/csv").content.decode()
    )
    over_time = asking(QUERY, query | {"step": "day", "fill": "null"}, accept="text/csv")
    assert analyst.saved_csv("faq_query · sum") == over_time.content.decode()


def test_a_session(analyst: Visitor, asking: Ask) -> None:
    start, end = days_that_are_over(asking)
    rows = asking(
        QUERY,
        query_of(asking, groupBy=["session_id"], limit=1, other=False)
        | {"filters": [{"label": "session_id", "op": "!=", "value": ""}]},
    ).json()["data"]["rows"]
    session = rows[0]["labels"]["session_id"]
    analyst.open(f"#/session?zone={ZONE}&session={session}")
    found = asking(f"/v1/custom-metrics/sessions/{session}").json()["data"]["result"]
    shown = analyst.cells("Metrics of the session")
    assert [(name, number(value)) for name, _, value, _ in shown] == [
        (each["metric"]["metric_name"], round(float(each["value"][1]), 2)) for each in found
    ]
    # Nothing is missing on the time line: the values of all points are as many as were counted.
    names = {each["metric"]["metric_name"] for each in found}
    for name in names:
        counted = asking(
            QUERY,
            {
                "startDate": start,
                "endDate": end,
                "timezone": ZONE,
                "metrics": [{"as": "n", "metric": name, "function": "count"}],
                "filters": [{"label": "session_id", "op": "=", "value": session}],
            },
        ).json()["data"]["rows"][0]["values"]["n"]
        saved = csv.DictReader(io.StringIO(analyst.saved_csv("Time line")))
        assert sum(int(each["values"]) for each in saved if each["metric"] == name) == counted


def test_simulations(analyst: Visitor, asking: Ask) -> None:
    analyst.open("#/simulations")
    (run_test,) = asking(f"{RUN_TESTS}/run-tests").json()["result"]["results"]
    name = run_test["run_test_name"]
    expect(analyst.choice("Run test")).to_have_value(name)
    page = asking(f"{RUN_TESTS}/metrics", run_test_name=name, limit="50").json()["result"]
    shown = analyst.cells("Executions")
    assert len(shown) == page["count"] == run_test["execution_count"]
    for cells, each in zip(shown, page["results"], strict=True):
        assert [int(cells[4]), int(cells[5])] == [each["total_calls"], each["failed_calls"]]
        assert number(cells[7]) == round(each["metrics"]["latency"]["percentiles"]["p95"], 2)
    baseline, candidate = page["results"][1]["execution_id"], page["results"][0]["execution_id"]
    analyst.page.locator("input[name=baseline]").nth(1).check()
    compared = asking(
        f"{RUN_TESTS}/compare", baseline_execution_id=baseline, execution_id=candidate
    ).json()["result"]["metrics"]
    verdicts = [cells[-1].split()[-1] for cells in analyst.cells("Two executions side by side")]
    assert verdicts == [
        "–" if each["verdict"] == "unknown" else each["verdict"] for each in compared
    ]
    assert f"baseline={baseline}" in analyst.page.url


def test_live_counters_of_a_tenant(visit: Visit, demo: Stack) -> None:
    headers = {"x-admin-token": ADMIN_TOKEN}
    event = {"tenant_id": "clinic_bern", "call_id": "c1"}
    stamp = "2025-04-01T10:0{}:00Z"
    events = [
        event | {"event_id": "b1", "type": "accepted", "occurred_at": stamp.format(0)},
        event | {"event_id": "b2", "type": "started", "occurred_at": stamp.format(1)},
    ]
    sent = requests.post(
        f"{demo.rest_url}/api/v1/metrics/events",
        json={"events": events},
        headers=headers,
        timeout=30,
    )
    assert sent.status_code == 200
    visitor = visit()
    visitor.open("#/live?tenant=clinic_bern")
    visitor.sign_in(ADMIN_TOKEN)
    expect(visitor.page.locator("[data-counter=active_calls]")).to_contain_text("1")
    counters = requests.get(
        f"{demo.rest_url}/api/v1/metrics/live/clinic_bern", headers=headers, timeout=30
    ).json()
    saved = {
        row["counter"]: float(row["value"])
        for row in csv.DictReader(io.StringIO(visitor.saved_csv("Counters")))
    }
    assert saved == counters
    assert ["clinic_bern", "1", "–"] in [row[:3] for row in visitor.cells("Capacity by tenant")]


def test_usage(analyst: Visitor, asking: Ask, demo_key: NewKey) -> None:
    analyst.open("#/usage")
    usage = asking("/v1/custom-metrics/usage").json()["data"]
    shown = analyst.cells("Metrics")
    assert [row[0] for row in shown] == [each["metric"] for each in usage["byMetric"]]
    assert [number(row[2]) for row in shown] == [each["points"] for each in usage["byMetric"]]
    assert [(row[0], number(row[1])) for row in analyst.cells("Labels")] == [
        (each["label"], each["values"]) for each in usage["byLabel"]
    ]
    limits = {row[0]: row[1:3] for row in analyst.cells("Limits")[:2]}
    assert limits["Metrics"] == [f"{usage['metrics']:,}", f"{usage['limits']['metrics']:,}"]
    assert limits["Label sets"] == [f"{usage['labelSets']:,}", f"{usage['limits']['labelSets']:,}"]
    keys = {row[0]: row[1:4] for row in analyst.cells("Keys")}
    assert keys[demo_key.key_id] == ["–", "admin", "good"]
    assert keys == {
        each["keyId"]: [each["label"] or "–", each["role"], each["state"]] for each in usage["keys"]
    }
