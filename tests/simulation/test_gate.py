"""`vumeter simulation gate`, as a pipeline runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from tests.simulation.conftest import PATHS, Organization

from vumeter_server import cli

BASELINE = "5819e158-0000-4000-8000-000000000001"
CANDIDATE = "5819e158-0000-4000-8000-000000000002"
UNKNOWN = "5819e158-0000-4000-8000-000000000009"

Gate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gate(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Gate:
    """Run the gate between two executions, the second one slower and better liked."""
    for execution, latency, csat in ((BASELINE, 1000, 4.0), (CANDIDATE, 1100, 4.5)):
        acme.record(
            f"{PATHS}/executions", {"execution_id": execution, "run_test_name": "My Agent Test"}
        )
        call = {
            "call_execution_id": execution.replace("5819e158", "5af9e484"),
            "execution_id": execution,
            "latency": {"avg_agent_latency_ms": latency},
            "chat_metrics": {"csat_score": csat},
        }
        acme.record(f"{PATHS}/calls", {"calls": [call]})
    monkeypatch.setenv("VUMETER_API_KEY", acme.key.key_id)
    monkeypatch.setenv("VUMETER_SECRET_KEY", acme.key.secret)

    def run(
        *limits: str,
        target: str = acme.target,
        baseline: str = BASELINE,
        candidate: str = CANDIDATE,
    ) -> tuple[int, str, str]:
        arguments = ["vumeter", "simulation", "gate", f"--target={target}"]
        arguments += [f"--baseline={baseline}", f"--candidate={candidate}", *limits]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_within_the_limits_is_0_and_prints_a_table(gate: Gate) -> None:
    status, printed, _ = gate(
        "--max", "latency.percentiles.p95=+10%", "--min", "chat.avg_csat_score=4"
    )
    assert status == 0
    assert (
        printed
        == f"""\
baseline   {BASELINE}  My Agent Test  1 calls
candidate  {CANDIDATE}  My Agent Test  1 calls

metric                                            baseline  candidate  difference           verdict
latency.avg_agent_latency_ms                          1000       1100        +100  +10.00%  worse
latency.avg_response_time_ms                             -          -           -           unknown
latency.percentiles.p50                               1000       1100        +100  +10.00%  worse
latency.percentiles.p95                               1000       1100        +100  +10.00%  worse
latency.percentiles.p99                               1000       1100        +100  +10.00%  worse
conversation.avg_user_interruption_rate                  -          -           -           unknown
conversation.avg_ai_interruption_rate                    -          -           -           unknown
conversation.avg_stop_time_after_interruption_ms         -          -           -           unknown
chat.avg_chat_latency_ms                                 -          -           -           unknown
chat.avg_csat_score                                      4        4.5        +0.5  +12.50%  better

limit                              comes to  candidate  outcome
latency.percentiles.p95  max +10%      1100       1100  within
chat.avg_csat_score      min 4            4        4.5  within

within the limits
"""
    )


@pytest.mark.parametrize(
    "limits",
    [
        ("--max", "latency.percentiles.p95=+9.9%"),
        ("--max", "latency.percentiles.p95=+99"),
        ("--max", "latency.percentiles.p95=1099.9"),
        ("--max", "latency.percentiles.p95=-1%"),
        ("--min", "chat.avg_csat_score=+0.6"),
        ("--max=latency.percentiles.p50=+50%", "--max=latency.percentiles.p99=+5%"),
        ("--max=latency.percentiles.p99=+5%", "--max=latency.avg_response_time_ms=+5%"),
        (),
    ],
)
def test_worse_is_1(gate: Gate, limits: tuple[str, ...]) -> None:
    status, printed, _ = gate(*limits)
    assert status == 1
    assert printed.endswith("\nworse than allowed\n")


def test_it_may_ask_through_envoy(gate: Gate, acme: Organization) -> None:
    assert gate("--max=chat.avg_csat_score=5", target=acme.url.removeprefix("http://"))[0] == 0


def test_without_limits_nothing_worse_is_0(gate: Gate) -> None:
    assert gate(candidate=BASELINE)[0] == 0


def test_a_limit_on_what_nobody_measured_is_2(gate: Gate) -> None:
    status, printed, _ = gate("--max", "latency.avg_response_time_ms=+5%")
    assert status == 2
    assert printed.endswith("\ncould not be compared\n")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"candidate": UNKNOWN}, "Test execution not found."),
        ({"baseline": "main"}, "baseline_execution_id must be a UUID such as"),
        ({"target": "127.0.0.1:1"}, "127.0.0.1:1: the server cannot be reached, or is busy"),
    ],
)
def test_what_cannot_be_asked_is_2_and_one_line(
    gate: Gate, changed: dict[str, str], message: str
) -> None:
    status, printed, told = gate(**changed)
    assert (status, printed) == (2, "")
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "limit", ["latency.percentiles.p95", "latency.percentiles.p95=10%", "=5", "p95=fast", "p95=5"]
)
def test_a_limit_that_cannot_be_read_is_2(gate: Gate, limit: str) -> None:
    status, printed, told = gate("--max", limit)
    assert (status, printed) == (2, "")
    assert told.count("\n") == 1


def test_a_missing_or_wrong_key_is_2(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_SECRET_KEY", "wrong")
    status, _, told = gate()
    assert status == 2
    assert "Missing or invalid credentials" in told
    monkeypatch.delenv("VUMETER_SECRET_KEY")
    assert gate()[2] == (
        "vumeter: VUMETER_API_KEY and VUMETER_SECRET_KEY must hold a key id and its secret\n"
    )
