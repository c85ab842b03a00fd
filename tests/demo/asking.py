"""What a product has of demo data, and what it should have."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from tests.stack import Stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.commands.administration import Administration, administration_of
from vumeter_server.demo import simulation
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.settings import Settings

NOON_US = int(datetime(2026, 3, 19, 12, 20, tzinfo=UTC).timestamp()) * 1_000_000


def clock_at(now_us: int) -> Clock:
    return lambda: now_us


def settings_of(stack: Stack) -> Settings:
    return Settings(db=stack.db_path, admin_token=SecretStr(stack.admin_token))


def store_of(stack: Stack) -> Administration:
    """Return the store of a product on a file, as who started it has it."""
    return administration_of(settings_of(stack))


def totals(stack: Stack) -> dict[str, float]:
    """Return what the demo's organization holds."""
    return totals_at(stack.rest_url, stack.make_key("demo").bearer)


def totals_at(url: str, bearer: str) -> dict[str, float]:
    """Return what the organization of a key holds, as a server says."""
    answer = requests.get(
        f"{url}/v1/custom-metrics/aggregate",
        params={"startDate": "2026-01-01", "endDate": "2027-12-31"},
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=30,
    )
    found: dict[str, float] = answer.json()["data"]
    return found


def sums(requests_of_hours: list[pb.StreamPointsRequest]) -> dict[str, Any]:
    found: dict[str, float] = defaultdict(float)
    for request in requests_of_hours:
        for point in request.points:
            found[point.name] += point.value
    return {name: pytest.approx(total, rel=1e-9) for name, total in sorted(found.items())}


def record(stack: Stack, points: list[dict[str, Any]]) -> None:
    """Record points of somebody else in the demo's organization."""
    answer = requests.post(
        f"{stack.rest_url}/v1/custom-metrics",
        json={"points": points},
        headers={"Authorization": f"Bearer {stack.make_key('demo').bearer}"},
        timeout=10,
    )
    assert answer.ok


def nights(stack: Stack) -> list[str]:
    """Return when the executions of the demo's run test began, newest first."""
    key = stack.make_key("demo")
    answer = requests.get(
        f"{stack.rest_url}/sdk/api/v1/simulation/metrics",
        params={"run_test_name": simulation.RUN_TEST, "limit": "100"},
        headers={"X-Api-Key": key.key_id, "X-Secret-Key": key.secret},
        timeout=10,
    )
    found = answer.json().get("result", {}).get("results", [])
    return [each["started_at"] for each in found]
