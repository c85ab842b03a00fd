"""Two processes of one identity export, and the product is killed between their exports.

What they measured is what every query answers, whatever the transport and the temporality.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.sdk.metrics.export import MetricExporter
from tests.otlp.python_agent import DELTA, EXPONENTIAL, Agent, exporter_of
from tests.otlp.sending import Sender
from tests.stack import start_stack

RANGE = {"startDate": "2020-01-01", "endDate": "2029-01-01"}
SESSIONS = ("s-0", "s-1")
# What each process measured before each export: session, and latency in seconds.
ROUNDS = (
    ((0, 0.31), (1, 0.52)),
    ((0, 0.75), (0, 1.4)),
    ((1, 2.25), (1, 0.31)),
    ((0, 0.9), (1, 0.64)),
)
CALLS_EACH = 2


class Killed:
    """A product that is killed and started again on its ports, with its file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.stack = start_stack(directory)
        self.sender = Sender(self.stack, self.stack.make_key())

    def restart(self) -> None:
        self.stack.process.kill()
        self.stack.wait()
        ports = [each.rpartition(":")[2] for each in (self.stack.rest_url, self.stack.grpc_target)]
        self.stack = start_stack(
            self._directory, f"--rest-port={ports[0]}", f"--grpc-port={ports[1]}"
        )
        self.sender = Sender(self.stack, self.sender.key)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    product = Killed(tmp_path)
    yield product
    product.stack.stop()


def exporters(sender: Sender, transport: str, temporality: Any) -> Sequence[MetricExporter]:
    return [exporter_of(sender, transport, temporality, EXPONENTIAL) for _ in range(2)]


@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize("temporality", [None, DELTA], ids=["cumulative", "delta"])
def test_every_query_answers_what_was_measured(
    killed: Killed, transport: str, temporality: Any
) -> None:
    identity = {"service.instance.id": "worker-1", "deployment.environment.name": "staging"}
    agents = [
        Agent(exporter, **identity) for exporter in exporters(killed.sender, transport, temporality)
    ]
    for number, measured in enumerate(ROUNDS):
        for agent in agents:
            for session, latency in measured:
                attributes = {"session.id": SESSIONS[session], "topic": "hours"}
                agent.calls.add(CALLS_EACH, attributes)
                agent.latency.record(latency, attributes)
            agent.export()
        if number % 2 == 0:
            killed.restart()
    for agent in agents:
        # Nothing new: cumulative values come again.
        agent.export()
        agent.provider.shutdown()
    latencies = [
        [latency for measured in ROUNDS for number, latency in measured if number == session] * 2
        for session in range(2)
    ]
    check_query(killed.sender, latencies)
    check_documented_queries(killed.sender, latencies)
    # And once more, of what the file alone says.
    killed.restart()
    check_query(killed.sender, latencies)
    check_documented_queries(killed.sender, latencies)


def check_query(sender: Sender, latencies: list[list[float]]) -> None:
    calls = sender.query("app.calls", "sum")
    found = sender.query("app.latency", "sum", "count", "percentile50", "percentile95")
    assert calls.keys() == found.keys() == set(SESSIONS)
    for session, values in zip(SESSIONS, latencies, strict=True):
        assert calls[session]["values"]["sum"] == CALLS_EACH * len(values)
        row = found[session]
        assert row["values"]["count"] == len(values)
        assert row["values"]["sum"] == pytest.approx(sum(values))
        for percent in (50, 95):
            truth = sorted(values)[math.ceil(percent / 100 * len(values)) - 1]
            error = row.get("errors", {}).get(f"percentile{percent}", 0)
            assert abs(row["values"][f"percentile{percent}"] - truth) <= error + 1e-9
            assert error < 0.05 * truth


def check_documented_queries(sender: Sender, latencies: list[list[float]]) -> None:
    total = CALLS_EACH * sum(map(len, latencies))
    seconds = sum(map(sum, latencies))
    assert ask(sender, "names") == ["app.calls", "app.latency"]
    sums = ask(sender, "aggregate", **RANGE)
    assert sums == {"app.calls": total, "app.latency": pytest.approx(seconds)}
    (by_topic,) = ask(sender, "aggregate", **RANGE, groupBy="topic")
    assert by_topic == {"topic": "hours", "metrics": sums}
    days = ask(sender, "daily", **RANGE, metricNames="app.calls,app.latency")
    for name, truth in (("app.calls", total), ("app.latency", seconds)):
        assert sum(day["metrics"].get(name, 0) for day in days) == pytest.approx(truth)
    series = ask(sender, "timeseries", **RANGE, metricName="app.calls", step="365d")["result"]
    assert sum(float(value) for each in series for _, value in each["values"]) == total
    assert ask(sender, "tags") == {"topic": ["hours"]}
    for session, values in zip(SESSIONS, latencies, strict=True):
        of_session = {
            each["metric"]["metric_name"]: each
            for each in ask(sender, f"sessions/{session}")["result"]
        }
        labels = {"agent_id": "reception", "environment_id": "staging", "topic": "hours"}
        for name, each in of_session.items():
            assert each["metric"] == {"metric_name": name, **labels}
        assert float(of_session["app.calls"]["value"][1]) == CALLS_EACH * len(values)
        assert float(of_session["app.latency"]["value"][1]) == pytest.approx(max(values), rel=0.05)
    described = sender.metrics()
    assert (described["app.calls"].unit, described["app.latency"].unit) == ("{call}", "s")
    assert sender.rejected().counts == []


def ask(sender: Sender, path: str, **query: str) -> Any:
    answer = requests.get(
        f"{sender.stack.rest_url}/v1/custom-metrics/{path}",
        params=query,
        headers=sender.headers,
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
