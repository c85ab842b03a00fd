"""Requests for each family that work as they are printed, in a shell with `vumeter env`."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

# Long requests stay on one line each: a terminal that breaks them copies them whole.
_JSON = """-H 'Content-Type: application/json'"""
_KEY = """-H "Authorization: Bearer $VUMETER_KEY\""""
_PAIR = """-H "X-Api-Key: $VUMETER_API_KEY" -H "X-Secret-Key: $VUMETER_SECRET_KEY\""""
_ADMIN = """-H "X-Admin-Token: $VUMETER_ADMIN_TOKEN\""""


def first_requests(*, with_demo_data: bool, now: datetime | None = None) -> str:
    """Return blocks of requests, each family's under its name."""
    now = now or datetime.now(UTC)
    families = {
        "Custom metrics": _custom_metrics(now, with_demo_data),
        "Query": _query(now, with_demo_data),
        "Live metrics, with the admin token": _live_metrics(now),
        "Simulation metrics": _simulation(now, with_demo_data),
        "OpenTelemetry, as an exporter sends it": _opentelemetry(now),
    }
    blocks = (
        f"\n{name}:\n" + "".join(f"  {request}\n" for request in requests)
        for name, requests in families.items()
    )
    return "".join(blocks)


def _custom_metrics(now: datetime, with_demo_data: bool) -> list[str]:
    path = "$VUMETER_URL/v1/custom-metrics"
    point = '{"points": [{"name": "booking_attempt", "tags": {"origin": "phone"}}]}'
    requests = [f"""curl "{path}" {_KEY} {_JSON} -d '{point}'"""]
    if with_demo_data:
        since, until = _range(now)
        requests.append(
            f"""curl "{path}/aggregate?metricNames=faq_query&groupBy=topic"""
            f"""&startDate={since}&endDate={until}" {_KEY}"""
        )
    else:
        requests.append(f"""curl "{path}/names" {_KEY}""")
    return requests


def _query(now: datetime, with_demo_data: bool) -> list[str]:
    since, until = _range(now)
    metrics = '{"as": "attempts", "metric": "booking_attempt", "function": "sum"}'
    if with_demo_data:
        metrics += (
            ', {"as": "p95", "metric": "e2e_latency_ms", "function": "percentile",'
            ' "percentile": 95}'
        )
    query = (
        f'{{"startDate": "{since}", "endDate": "{until}", "groupBy": ["origin"],'
        f' "metrics": [{metrics}]}}'
    )
    return [f"""curl "$VUMETER_URL/v1/custom-metrics/query" {_KEY} {_JSON} -d '{query}'"""]


def _live_metrics(now: datetime) -> list[str]:
    path = "$VUMETER_URL/api/v1/metrics"
    moment = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    # A repeat is the same event, the next start has another one.
    event = (
        f'{{"event_id": "first-{moment}", "type": "started", "call_id": "first-{moment}",'
        f' "tenant_id": "my_tenant", "occurred_at": "{moment}"}}'
    )
    return [
        f"""curl "{path}/events" {_ADMIN} {_JSON} -d '{{"events": [{event}]}}'""",
        f"""curl "{path}/live/my_tenant" {_ADMIN}""",
    ]


def _simulation(now: datetime, with_demo_data: bool) -> list[str]:
    path = "$VUMETER_URL/sdk/api/v1/simulation"
    execution_id, call_id = uuid.uuid4(), uuid.uuid4()
    execution = (
        f'{{"run_test_name": "My first run test", "execution_id": "{execution_id}",'
        f' "status": "completed", "started_at": "{now:%Y-%m-%dT%H:%M:%SZ}"}}'
    )
    call = (
        f'{{"call_execution_id": "{call_id}", "execution_id": "{execution_id}",'
        ' "status": "completed", "duration_seconds": 42, "latency": {"avg_agent_latency_ms": 640}}'
    )
    asked = "My%20Agent%20Test&limit=3" if with_demo_data else "My%20first%20run%20test"
    return [
        f"""curl "{path}/executions" {_PAIR} {_JSON} -d '{execution}'""",
        f"""curl "{path}/calls" {_PAIR} {_JSON} -d '{{"calls": [{call}]}}'""",
        f"""curl "{path}/metrics/?run_test_name={asked}" {_PAIR}""",
    ]


def _opentelemetry(now: datetime) -> list[str]:
    nanoseconds = int(now.timestamp()) * 1_000_000_000
    point = f'{{"asInt": 3, "timeUnixNano": "{nanoseconds}"}}'
    metric = (
        '{"name": "app.calls", "unit": "{call}", "sum": {"aggregationTemporality": 1,'
        f' "isMonotonic": true, "dataPoints": [{point}]}}}}'
    )
    body = (
        '{"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name",'
        ' "value": {"stringValue": "reception"}}]},'
        f' "scopeMetrics": [{{"metrics": [{metric}]}}]}}]}}'
    )
    return [f"""curl "$VUMETER_URL/v1/metrics" {_KEY} {_JSON} -d '{body}'"""]


def _range(now: datetime) -> tuple[str, str]:
    """Return the dates of the last two weeks, the second exclusive."""
    today = now.date()
    return str(today - timedelta(days=13)), str(today + timedelta(days=1))
