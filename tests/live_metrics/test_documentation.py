"""The examples run as they stand, and the page knows every path, RPC and event type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.api import annotations_pb2
from tests.live_metrics.conftest import PATHS, LiveApi

from vumeter.live_metrics.v1 import live_metrics_pb2, live_metrics_rest_pb2
from vumeter_server.access.roles import Role
from vumeter_server.live_metrics.validation import EVENT_TYPES, OUTCOMES, REASONS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "live-metrics.md").read_text()
REST = live_metrics_rest_pb2.DESCRIPTOR.services_by_name["LiveMetricsRestService"]
RPCS = live_metrics_pb2.DESCRIPTOR.services_by_name["LiveMetricsService"]


def environment(live: LiveApi, role: Role, tenant_id: str) -> dict[str, str]:
    """What an example is given: a key that is good for nothing else."""
    return {
        **os.environ,
        "VUMETER_KEY": live.stack.make_key("the operator", role, tenant_id=tenant_id).bearer,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONUNBUFFERED": "1",
    }


def test_the_reporting_example_reports_a_call(live: LiveApi) -> None:
    before = live.get(f"{PATHS}/live/tenant_1").json()
    script = ROOT / "examples" / "report_calls.py"
    done = subprocess.run(
        [sys.executable, str(script), live.stack.grpc_target],
        env=environment(live, Role.REPORTER, "tenant_1"),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "3 batches answered, 3 events recorded"
    after = live.get(f"{PATHS}/live/tenant_1").json()
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {
        "accepted_calls": 1,
        "started_calls": 1,
        "ended_calls": 1,
        "minutes_processed": 2.25,
    }


def test_the_watching_example_prints_the_current_state(live: LiveApi) -> None:
    script = ROOT / "examples" / "watch_calls.py"
    with subprocess.Popen(
        [sys.executable, str(script), live.stack.grpc_target, "nobody"],
        env=environment(live, Role.OPERATOR, "nobody"),
        stdout=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "0 active, 0.0 minutes\n"
        watching.terminate()


@pytest.mark.parametrize("method", [method.name for method in REST.methods])
def test_the_page_shows_every_path(method: str) -> None:
    rule = REST.methods_by_name[method].GetOptions().Extensions[annotations_pb2.http]
    assert f"`{'GET' if rule.get else 'POST'} {rule.get or rule.post}`" in PAGE


@pytest.mark.parametrize("method", [method.name for method in RPCS.methods])
def test_the_page_names_every_rpc(method: str) -> None:
    assert f"`{method}`" in PAGE


@pytest.mark.parametrize("word", [*EVENT_TYPES, *REASONS, *OUTCOMES])
def test_the_page_names_every_value(word: str) -> None:
    assert f"`{word}`" in PAGE
