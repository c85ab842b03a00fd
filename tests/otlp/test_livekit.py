"""A worker of livekit-agents that exports by its own telemetry, through Envoy."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.clients.environments import FRAMEWORKS, python_with
from tests.otlp.decoded import PAYLOADS
from tests.otlp.sending import Sender
from tests.stack import start_stack

CLIENT = FRAMEWORKS.parent.parent.parent / "clients" / "python"
BASE2 = {
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"
}
# LiveKit's own names for one call.
SESSION = "RM_clinic"
SPOKEN = (b"A table for two", b"Your booking", b"You take bookings")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Sender]:
    """A product of its own, so that its log and file speak of one worker."""
    stack = start_stack(tmp_path)
    yield Sender(stack, stack.make_key())
    stack.stop()


def run_job(sender: Sender, latencies: Sequence[float], **environment: str) -> None:
    """Run a job whose turns had these latencies; wait until its worker has ended."""
    key = sender.key
    done = subprocess.run(
        [python_with("livekit"), str(FRAMEWORKS / "livekit_worker.py")],
        env={
            **os.environ,
            "PYTHONPATH": str(CLIENT),
            "LATENCIES": json.dumps(latencies),
            # Without them LiveKit's telemetry does not start. They are of no use here.
            "LIVEKIT_API_KEY": "APIclinic",
            "LIVEKIT_API_SECRET": "of-no-use-of-no-use-of-no-use-of-no-use",
            "LIVEKIT_OBSERVABILITY_URL": (
                f"http://{key.key_id}:{key.secret}@{sender.stack.edge_target}"
            ),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to export" not in done.stderr


def test_a_job_of_livekit_is_recorded_and_what_was_said_is_thrown_away(alone: Sender) -> None:
    latencies = (1.1, 1.3, 1.5)
    run_job(alone, latencies)
    # Up to three turns come back exactly, whatever the buckets are.
    assert_latencies(alone, latencies, exactly=True)
    for kind, tokens in (("input", 200), ("input_cached", 160), ("output", 10)):
        name = f"lk.agents.usage.llm_{kind}_tokens"
        assert alone.query(name, "sum")[SESSION]["values"] == {"sum": tokens}
        assert alone.query(name, "sum", group="model_name").keys() == {"mind-1"}
    ttft = alone.query("lk.agents.turn.llm_ttft", "count", "min")[SESSION]["values"]
    assert ttft["count"] == 2
    # The model waits for 10 ms before each chunk.
    assert ttft["min"] >= 0.01
    assert alone.rejected().counts == []
    described = alone.metrics()["lk.agents.turn.e2e_latency"]
    assert (described.unit, described.description) == ("s", "End-to-end turn latency")
    alone.stack.stop()
    answered = {
        (line["path"], line["status"])
        for line in access_log(alone)
        if line["path"].startswith("/observability/")
    }
    assert answered == {
        (f"/observability/{signal}/otlp/v0", 200) for signal in ("metrics", "traces", "logs")
    }
    files = [path.read_bytes() for path in alone.stack.db_path.parent.iterdir()]
    assert not any(text in data for data in files for text in SPOKEN)


def test_many_turns_are_nearly_exact_with_exponential_histograms(alone: Sender) -> None:
    latencies = (0.62, 0.71, 0.8, 0.93, 1.05, 1.21, 1.4, 1.87, 2.2, 3.1)
    run_job(alone, latencies, **BASE2)
    assert_latencies(alone, latencies, exactly=False)


def assert_latencies(sender: Sender, latencies: Sequence[float], *, exactly: bool) -> None:
    for name, share in (("e2e_latency", 1), ("tts_ttfb", 10), ("transcription_delay", 20)):
        values = [latency / share for latency in latencies]
        row = sender.query(
            f"lk.agents.turn.{name}",
            *("count", "sum", "min", "max", "percentile50", "percentile95"),
        )[SESSION]
        found: dict[str, Any] = row["values"]
        assert found["count"] == len(values)
        assert found["sum"] == pytest.approx(sum(values))
        assert (found["min"], found["max"]) == pytest.approx((min(values), max(values)))
        for percentile in (50, 95):
            truth = sorted(values)[math.ceil(percentile / 100 * len(values)) - 1]
            answered = found[f"percentile{percentile}"]
            error = row.get("errors", {}).get(f"percentile{percentile}", 0.0)
            assert abs(answered - truth) <= error + 1e-9
            assert answered == pytest.approx(truth, rel=1e-9 if exactly else 0.01)


def access_log(sender: Sender) -> list[dict[str, Any]]:
    """Return the lines of Envoy's log, which has ended."""
    lines = (sender.stack.db_path.parent / "stdout.log").read_text().splitlines()
    lines += sender.stack.log.read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in found if "path" in line and "status" in line]


def test_a_recording_as_livekit_sends_it_is_thrown_away(alone: Sender) -> None:
    body = (PAYLOADS / "livekit-recording.bin").read_bytes()
    answer = alone.post_to("/observability/recordings/v0", body, "multipart/form-data; boundary=b4")
    assert (answer.status_code, answer.content) == (200, b"")
    answer = alone.post_to(
        "/observability/logs/otlp/v0", (PAYLOADS / "livekit-logs.bin").read_bytes()
    )
    assert (answer.status_code, answer.content) == (200, b"")
    alone.stack.stop()
    for path in alone.stack.db_path.parent.iterdir():
        assert b"chat_history" not in path.read_bytes()
