"""The demo's run test, recorded as a caller would record it."""

from __future__ import annotations

import time
from typing import Any

from tests.simulation.conftest import PATHS, Organization

from vumeter_server.demo import simulation as demo
from vumeter_server.demo.stage import Stage
from vumeter_server.times.units import DAY_US, HOUR_US

NOW_US = 1_764_490_000_000_000  # 2025-11-30T08:06:40Z


def stage_of(acme: Organization) -> Stage:
    return Stage(grpc_target=acme.target, bearer=acme.key.bearer, admin_token="", begun_us=NOW_US)


async def test_twelve_executions_of_thirty_calls_end_last_night(acme: Organization) -> None:
    shown: list[float] = []
    assert await demo.load(stage_of(acme), shown.append) == 360
    assert await demo.load(stage_of(acme), shown.append) == 360
    assert shown[-1] == 1
    page = acme.get(f"{PATHS}/metrics", run_test_name=demo.RUN_TEST, limit="100").json()["result"]
    assert page["count"] == 12
    assert [execution["metrics"]["calls"]["total"] for execution in page["results"]] == [30] * 12
    assert page["results"][0]["execution_id"] == demo.execution_id(12)
    assert page["results"][0]["started_at"] == "2025-11-30T02:00:00.000Z"


async def test_the_tenth_execution_is_a_visible_regression(acme: Organization) -> None:
    await demo.load(stage_of(acme), lambda part: None)
    answer: dict[str, Any] = acme.get(
        f"{PATHS}/compare",
        baseline_execution_id=demo.execution_id(demo.REGRESSION - 1),
        execution_id=demo.execution_id(demo.REGRESSION),
    ).json()
    rows = {row["metric"]: row for row in answer["result"]["metrics"]}
    assert {row["verdict"] for row in rows.values()} == {"worse"}
    assert rows["latency.percentiles.p95"]["difference_percent"] > 50


def test_the_demo_is_the_same_every_time_but_for_the_day() -> None:
    today = [calls for _, calls in demo.demo_executions(NOW_US)]
    later = [calls for _, calls in demo.demo_executions(NOW_US + 40 * DAY_US)]
    assert today == later
    *_, (newest, _) = demo.demo_executions(NOW_US - 8 * HOUR_US)
    began = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(newest.start_time.seconds))
    assert began == "2025-11-29T02:00"
