"""OpenTelemetry's own exporters through Envoy: what was measured is what is answered."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.otlp.decoded import PAYLOADS, body_of
from tests.otlp.python_agent import DELTA, EXPONENTIAL, Agent, exporter_of
from tests.otlp.sending import LATENCIES, Sender
from tests.stack import start_stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2


@pytest.fixture(params=["grpc", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("temporality", [None, DELTA], ids=["cumulative", "delta"])
@pytest.mark.parametrize("aggregation", [None, EXPONENTIAL], ids=["explicit", "exponential"])
def test_what_was_measured_is_answered(
    sender: Sender, transport: str, temporality: Any, aggregation: Any
) -> None:
    agent = Agent(
        exporter_of(sender, transport, temporality, aggregation),
        **{"deployment.environment.name": "staging"},
    )
    for number, latency in enumerate(LATENCIES):
        session = {"session.id": f"s-{number % 2}"}
        agent.calls.add(2, session)
        agent.latency.record(latency, session)
        agent.active.add(1)
        agent.export()
    agent.export()
    agent.provider.shutdown()
    calls = sender.query("app.calls", "sum")
    assert {session: each["values"]["sum"] for session, each in calls.items()} == {
        "s-0": 8,
        "s-1": 6,
    }
    latencies = sender.query("app.latency", "sum", "count", "min", "max", "percentile50")
    for name, values in (("s-0", LATENCIES[::2]), ("s-1", LATENCIES[1::2])):
        row = latencies[name]["values"]
        assert row["count"] == len(values)
        assert row["sum"] == pytest.approx(sum(values))
        if temporality is DELTA:
            # Each export is of one value, which follows from its sum.
            assert row["min"] == pytest.approx(min(values))
            assert row["max"] == pytest.approx(max(values))
            assert row["percentile50"] == pytest.approx(sorted(values)[(len(values) - 1) // 2])
    assert sender.query("app.active", "last")[""]["values"]["last"] == len(LATENCIES)
    assert sender.query("app.calls", "sum", group="environment_id").keys() == {"staging"}
    assert sender.query("app.calls", "sum", group="agent_id").keys() == {"reception"}
    described = sender.metrics()["app.calls"]
    assert (described.unit, described.description) == ("{call}", "Calls handled")
    assert described.type == custom_metrics_pb2.METRIC_TYPE_COUNTER


def test_two_processes_of_one_identity_count_each(sender: Sender) -> None:
    agents = [Agent(exporter_of(sender, "grpc", None, None)) for _ in range(2)]
    for number in range(3):
        for agent in agents:
            agent.calls.add(1 + number)
            agent.export()
    for agent in agents:
        agent.provider.shutdown()
    assert sender.query("app.calls", "sum")[""]["values"]["sum"] == 12


def test_a_restart_loses_and_doubles_nothing(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    key = stack.make_key()
    sender = Sender(stack, key)
    agent = Agent(exporter_of(sender, "http", None, None))
    agent.calls.add(5)
    agent.export()
    stack.process.kill()
    stack.wait()
    agent.calls.add(2)
    port = stack.rest_url.rpartition(":")[2]
    again = start_stack(tmp_path, f"--rest-port={port}")
    sender = Sender(again, key)
    agent.export()
    agent.export()
    assert sender.query("app.calls", "sum")[""]["values"]["sum"] == 7
    agent.provider.shutdown()
    again.stop()


def test_a_repeat_of_a_delta_request_is_harmless(sender: Sender) -> None:
    for _ in range(3):
        assert sender.post(body_of("py-delta-exp")).status_code == 200
    assert sender.query("app.calls", "sum")["s-0"]["values"]["sum"] == 3


@pytest.mark.parametrize(
    "path", ["/observability/metrics/otlp/v0", "//observability/metrics/otlp/v0/"]
)
def test_livekit_sends_with_the_key_in_its_url(sender: Sender, path: str) -> None:
    shown = base64.b64encode(f"{sender.key.key_id}:{sender.key.secret}".encode()).decode()
    answer = requests.post(
        sender.stack.rest_url + path,
        data=(PAYLOADS / "livekit-metrics.bin").read_bytes(),
        headers={
            "authorization": f"Basic {shown}",
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        },
        timeout=20,
    )
    assert (answer.status_code, answer.content) == (200, b"")
    row = sender.query("lk.agents.turn.e2e_latency", "count", "min", "max", "percentile50")
    found = row["RM_synthetic1"]
    assert found["values"] == {"count": 3, "min": 1.1, "max": 1.5, "percentile50": 1.3}
    assert "errors" not in found


@pytest.mark.parametrize("signal", ["traces/otlp/v0", "logs/otlp/v0", "recordings/v0"])
def test_what_holds_transcripts_is_thrown_away_unread(sender: Sender, signal: str) -> None:
    answer = requests.post(
        f"{sender.stack.rest_url}/observability/{signal}",
        data=b"not even gzip",
        headers={
            **sender.headers,
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        },
        timeout=20,
    )
    assert (answer.status_code, answer.content) == (200, b"")
