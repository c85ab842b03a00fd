"""The three exporters for Node, on both ports: what was measured is what is answered."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.otlp.node_agent import NodeAgent
from tests.otlp.sending import LATENCIES, Sender

from vumeter.custom_metrics.v1 import custom_metrics_pb2

# The first test that needs them installs the exporters.
pytestmark = pytest.mark.timeout(600)

ROUTES = {
    "grpc, Envoy": ("grpc", "edge", "none"),
    "grpc": ("grpc", "server", "gzip"),
    "http/json, Envoy": ("http", "edge", "none"),
    "http/json, gzip, Envoy": ("http", "edge", "gzip"),
    "http/protobuf, Envoy": ("proto", "edge", "none"),
    "http/protobuf, gzip, Envoy": ("proto", "edge", "gzip"),
}


@pytest.fixture(params=ROUTES.values(), ids=list(ROUTES))
def route(request: pytest.FixtureRequest, sender: Sender) -> dict[str, Any]:
    transport, port, compression = request.param
    target = sender.stack.edge_target if port == "edge" else sender.stack.grpc_target
    return {"transport": transport, "target": target, "compression": compression}


@pytest.mark.parametrize("temporality", ["DELTA", "CUMULATIVE"])
def test_what_node_measured_is_answered(
    sender: Sender, route: dict[str, Any], temporality: str
) -> None:
    environment = {"deployment.environment.name": "staging"}
    with NodeAgent(sender, temporality=temporality, resource=environment, **route) as agent:
        for number, latency in enumerate(LATENCIES):
            session = {"session.id": f"s-{number % 2}"}
            agent.measure(
                ("app.calls", 2, session),
                ("app.latency", latency, session),
                ("app.fine", latency, session),
                ("app.active", 1),
                ("app.minutes", 10 + number),
            )
            assert agent.export() == []
        assert agent.export() == []
    calls = sender.query("app.calls", "sum", "count")
    assert {session: each["values"]["sum"] for session, each in calls.items()} == {
        "s-0": 8,
        "s-1": 6,
    }
    for name in ("app.latency", "app.fine"):
        found = sender.query(name, "sum", "count", "min", "max", "percentile50", "percentile95")
        for name_of, values in (("s-0", LATENCIES[::2]), ("s-1", LATENCIES[1::2])):
            row = found[name_of]
            assert row["values"]["count"] == len(values)
            assert row["values"]["sum"] == pytest.approx(sum(values))
            check_distribution(row, values, is_delta=temporality == "DELTA", is_fine=name[4] == "f")
    assert sender.query("app.active", "last")[""]["values"]["last"] == len(LATENCIES)
    # What was counted before the first export is not known of one that is only observed.
    minutes = sender.query("app.minutes", "sum")[""]["values"]["sum"]
    assert minutes == len(LATENCIES) - 1 + (10 if temporality == "DELTA" else 0)
    assert sender.query("app.calls", "sum", group="environment_id").keys() == {"staging"}
    assert sender.query("app.calls", "sum", group="agent_id").keys() == {"reception"}
    described = sender.metrics()["app.calls"]
    assert (described.unit, described.description) == ("{call}", "Calls handled")
    assert described.type == custom_metrics_pb2.METRIC_TYPE_COUNTER


def check_distribution(
    row: dict[str, Any], values: tuple[float, ...], *, is_delta: bool, is_fine: bool
) -> None:
    """Each export holds one value: of a delta it follows exactly, else from its bucket."""
    found, errors = row["values"], row.get("errors", {})
    ordered = sorted(values)
    for name, share in (("percentile50", 0.5), ("percentile95", 0.95)):
        truth = ordered[math.ceil(share * len(ordered)) - 1]
        if is_delta:
            assert found[name] == pytest.approx(truth)
            assert name not in errors
        else:
            assert abs(found[name] - truth) <= errors.get(name, 0) + 1e-9
            if is_fine:
                assert found[name] == pytest.approx(truth, rel=0.005)
    if is_delta:
        assert found["min"] == pytest.approx(ordered[0])
        assert found["max"] == pytest.approx(ordered[-1])


def test_node_says_which_points_were_rejected(sender: Sender, route: dict[str, Any]) -> None:
    with NodeAgent(sender, **route) as agent:
        agent.measure(("too long", 1), ("app.calls", 3))
        (said,) = agent.export()
    assert said.startswith("warn: ")
    assert "must match [a-zA-Z_][a-zA-Z0-9_.:]* in at most 200 characters" in said
    assert sender.query("app.calls", "sum")[""]["values"]["sum"] == 3
    (counted,) = sender.rejected().counts
    assert counted.points == 1


def test_node_says_that_its_key_is_not_valid(sender: Sender, route: dict[str, Any]) -> None:
    sender.stack.revoke_key(sender.key)
    with NodeAgent(sender, timeout_ms=5_000, **route) as agent:
        agent.measure(("app.calls", 3))
        said = " ".join(agent.export())
    assert "Missing or invalid credentials" in said or "Unauthorized" in said
