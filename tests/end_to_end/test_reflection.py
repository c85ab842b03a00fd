"""A client that knows nothing but a port: reflection only, as grpcurl and `buf curl` ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.api import METHODS
from tests.end_to_end.callers import Caller

BUF = Path(sys.executable).with_name("buf")
SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
POINT = {"name": "booking_attempt", "occur_time": "2025-04-01T10:00:00Z", "tags": {"origin": "web"}}


@pytest.fixture(params=["server", "envoy"])
def target(request: pytest.FixtureRequest, owner: Caller) -> str:
    stack = owner.stack
    return f"http://{stack.grpc_target if request.param == 'server' else stack.edge_target}"


def buf_curl(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def ask(owner: Caller, target: str, method: str, request: Any) -> Any:
    credential = f"authorization: {owner.credentials['authorization']}"
    done = buf_curl(f"{target}/{SERVICE}/{method}", "-H", credential, "-d", json.dumps(request))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_metrics_are_recorded_and_queried_by_reflection_alone(owner: Caller, target: str) -> None:
    assert ask(owner, target, "RecordPoints", {"points": [POINT]}) == {"recorded": "1"}
    assert ask(owner, target, "ListMetricNames", {}) == {"names": ["booking_attempt"]}
    selection = {"startTime": "2025-04-01T00:00:00Z", "endTime": "2025-04-02T00:00:00Z"}
    assert ask(owner, target, "AggregateMetrics", {"selection": selection}) == {
        "rows": [{"metrics": {"booking_attempt": 1}}]
    }


def test_every_method_is_listed(target: str) -> None:
    done = buf_curl(target, "--list-methods")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) >= {method.name for method in METHODS}


def test_a_refusal_names_the_field(owner: Caller, target: str) -> None:
    credential = f"authorization: {owner.credentials['authorization']}"
    url = f"{target}/{SERVICE}/GetSessionMetrics"
    done = buf_curl(url, "-H", credential, "-d", "{}")
    assert done.returncode != 0
    refused = json.loads(done.stderr)
    assert refused["code"] == "invalid_argument"
    assert refused["message"] == "session_id must be a string"
    assert refused["details"][0]["type"] == "google.rpc.BadRequest"
