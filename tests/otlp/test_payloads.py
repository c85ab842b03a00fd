"""Requests that real clients sent, with every point that they become."""

from __future__ import annotations

from collections import defaultdict

import pytest
from tests.otlp.decoded import States, batch_of, body_of, rows, settled

from vumeter_server.custom_metrics.increments import SeriesStates

PY_LABELS = {
    "agent_id": "agent-a",
    "environment_id": "staging",
    "gen_ai_request_model": "gpt-x",
    "langs": '["de","en"]',
    "n": "3",
    "ok": "true",
    "ratio": "0.5",
    "service_version": "1.2.3",
}
WORKER = {"environment_id": "staging", "service_version": "1.2.3"}
# The sum of 0.1, 0.4 and so on as the exporter added them.
LATENCIES = pytest.approx(3.5)
LIVEKIT = {"agent_id": "voice-agent", "model_name": "gpt-x", "model_provider": "openai"}


def new_states() -> States:
    return defaultdict(SeriesStates)


def test_a_process_that_exports_cumulative_values_counts_each_once() -> None:
    states = new_states()
    first = settled(batch_of(body_of("py-cumulative-1")), states)
    assert first.rejected == []
    assert rows(first)[:4] == [
        ("app.calls", "counter", 3.0, "s-0", PY_LABELS),
        ("app.calls", "counter", 2.0, "s-1", PY_LABELS),
        ("app.cost", "counter", 2.5, "", {"agent_id": "voice-worker", "provider": "p", **WORKER}),
        ("app.e2e_latency", "histogram", LATENCIES, "", {"agent_id": "agent-a", **WORKER}),
    ]
    second = settled(batch_of(body_of("py-cumulative-2")), states)
    assert [row[:4] for row in rows(second)] == [
        ("app.calls", "counter", 3.0, "s-0"),
        ("app.calls", "counter", 2.0, "s-1"),
        ("app.cost", "counter", 2.5, ""),
        ("app.e2e_latency", "histogram", LATENCIES, ""),
        ("app.exp_latency", "histogram", 6_600.0, ""),
        ("app.active", "gauge", 3.0, ""),
        ("app.temperature", "gauge", 22.5, ""),
    ]
    assert settled(batch_of(body_of("py-cumulative-2")), states).settled.values.tolist() == [
        # What is a state is recorded whenever it is told.
        3.0,
        22.5,
    ]


def test_units_and_descriptions_are_kept() -> None:
    described = settled(batch_of(body_of("py-cumulative-1"))).described
    assert {name: (each.unit, each.description) for name, each in described.items()} == {
        "app.calls": ("{call}", "Calls handled"),
        "app.cost": ("USD", ""),
        "app.e2e_latency": ("s", "End to end latency"),
        "app.exp_latency": ("ms", ""),
        "app.temperature": ("Cel", ""),
        "app.active": ("{call}", ""),
        "app.cpu_time_total": ("s", ""),
    }


def test_deltas_count_as_they_come_and_zeros_are_not_stored() -> None:
    export = settled(batch_of(body_of("py-delta-exp")))
    assert export.rejected == []
    assert [row[:4] for row in rows(export)] == [
        ("app.calls", "counter", 3.0, "s-0"),
        ("app.calls", "counter", 2.0, "s-1"),
        ("app.cost", "counter", 2.5, ""),
        ("app.e2e_latency", "histogram", LATENCIES, ""),
        ("app.exp_latency", "histogram", 6_600.0, ""),
        ("app.active", "gauge", 3.0, ""),
        ("app.temperature", "gauge", 22.5, ""),
    ]
    assert export.taken == 8


def test_what_node_sends_as_protobuf() -> None:
    export = settled(batch_of(body_of("node-proto-delta-exp")))
    assert export.rejected == []
    assert [row[:4] for row in rows(export)] == [
        ("app.exp_latency", "histogram", 6_600.0, ""),
        ("app.calls", "counter", 3.0, "s-0"),
        ("app.calls", "counter", 2.0, "s-1"),
        ("app.active", "gauge", 2.0, ""),
        ("app.temperature", "gauge", 21.5, ""),
        ("app.e2e_latency", "histogram", LATENCIES, ""),
        ("app.cpu_time_total", "counter", 12.5, ""),
    ]
    assert rows(export)[3][4] == {"agent_id": "voice-worker-js", "environment_id": "staging"}


def test_what_node_sends_as_json() -> None:
    export = settled(batch_of(body_of("node-json-cumulative"), is_json=True))
    assert export.rejected == []
    assert sorted(row[:4] for row in rows(export)) == [
        ("app.active", "gauge", 2.0, ""),
        ("app.calls", "counter", 2.0, "s-1"),
        ("app.calls", "counter", 3.0, "s-0"),
        ("app.e2e_latency", "histogram", LATENCIES, ""),
        ("app.exp_latency", "histogram", 6_600.0, ""),
        ("app.temperature", "gauge", 21.5, ""),
    ]
    # An observable counter whose start is its time: what was counted before is not known.
    assert sum(export.notes.values()) == 1


def test_what_a_job_of_livekit_sends() -> None:
    batch = batch_of(body_of("livekit-metrics"))
    export = settled(batch)
    assert export.rejected == []
    assert export.taken == len(batch) == 21
    assert {row[3] for row in rows(export)} == {"RM_synthetic1"}
    assert {row[4]["agent_id"] for row in rows(export)} == {"voice-agent"}
    assert rows(export)[:3] == [
        (f"lk.agents.usage.llm_{kind}_tokens", "counter", tokens, "RM_synthetic1", LIVEKIT)
        for kind, tokens in (("input", 2_439.0), ("input_cached", 1_536.0), ("output", 186.0))
    ]
    (latency,) = [
        histogram
        for histogram, index in zip(batch.histograms, batch.metric_indexes, strict=True)
        if batch.metrics[index].name == "lk.agents.turn.e2e_latency"
    ]
    assert latency is not None
    assert (latency.count, latency.bounds[:3], sum(latency.counts)) == (3, (0.0, 5.0, 10.0), 3)
    assert latency.min is not None
    assert latency.max is not None
