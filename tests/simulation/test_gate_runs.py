"""`vumeter simulation gate` on run tests: which executions it takes, limits, tolerance, formats."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.simulation.conftest import Organization
from tests.simulation.gating import RUN_TEST, Gating, execution_id

ONE = {"latency": {"avg_agent_latency_ms": 1000}}
PREVIOUS = ("--baseline=previous", f"--run-test={RUN_TEST}")


@pytest.fixture
def gating(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Gating:
    return Gating(organization=acme, monkeypatch=monkeypatch, capsys=capsys)


def latencies(mean: float, count: int, seed: int) -> list[dict[str, Any]]:
    """Return calls as the same agent gives them on different nights: they vary by half."""
    rng = random.Random(seed)
    values = (max(100.0, rng.gauss(mean, mean / 2)) for _ in range(count))
    return [{"latency": {"avg_agent_latency_ms": round(value)}} for value in values]


def failing(count: int, failed: int) -> list[dict[str, Any]]:
    """Return calls of which some failed; all took as long."""
    return [{**ONE, "status": "failed" if n < failed else "completed"} for n in range(count)]


def test_previous_is_the_newest_before_the_candidate_that_has_calls_and_did_not_fail(
    gating: Gating,
) -> None:
    gating.record(1, [ONE])
    gating.record(2, [ONE])
    gating.record(3, [ONE], run_test="Another")
    gating.record(4, [ONE], status="failed")
    gating.record(5, [ONE], status="cancelled")
    gating.record(6, [])
    gating.record(7, [ONE], status="completed")
    found = gating.judge()
    assert (found["exit"], found["status"]) == (0, "within")
    assert found["baseline"]["execution_id"] == execution_id(2)
    assert found["candidate"]["execution_id"] == execution_id(7)
    # With a candidate its run test need not be named.
    status, printed, _ = gating.run("--baseline=previous", f"--candidate={execution_id(2)}")
    assert (status, printed.splitlines()[0].split()[:2]) == (0, ["baseline", execution_id(1)])
    status, printed, _ = gating.run(
        f"--baseline={execution_id(3)}", f"--run-test={RUN_TEST}", "--tolerance=0%"
    )
    assert status == 0
    assert [line.split()[1] for line in printed.splitlines()[:2]] == [
        execution_id(3),
        execution_id(7),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (PREVIOUS, f"the newest execution of {RUN_TEST}, {execution_id(2)}, is running"),
        (
            ("--baseline=previous", f"--candidate={execution_id(1)}"),
            f"{RUN_TEST} has no execution before {execution_id(1)} to compare with",
        ),
        (
            (*PREVIOUS, f"--candidate={execution_id(3)}"),
            f"{RUN_TEST} has no execution {execution_id(3)}",
        ),
        (("--baseline=previous", "--run-test=Unknown"), "Run test not found."),
        (("--baseline=previous", f"--candidate={execution_id(9)}"), "Test execution not found."),
        (("--baseline=previous",), "Missing option '--candidate', or '--run-test'"),
        ((*PREVIOUS, "--max=calls.failed=0", "--tolerance=5%"), "without '--max' and '--min'"),
        ((*PREVIOUS, "--tolerance=+5%"), "+5% is neither chance nor a percentage such as 5%"),
        ((*PREVIOUS, "--tolerance=5"), "5 is neither chance nor a percentage such as 5%"),
    ],
)
def test_what_cannot_be_judged_is_2_and_one_line(
    gating: Gating, arguments: tuple[str, ...], said: str
) -> None:
    gating.record(1, [ONE])
    gating.record(2, [ONE], status="running")
    gating.record(3, [ONE], run_test="Another")
    status, printed, told = gating.run(*arguments)
    assert (status, printed) == (2, "")
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("limit", "status", "number", "candidate"),
    [
        ("calls.failed=1", 1, 1, 2),
        ("calls.failed=+2", 0, 2, 2),
        ("calls.failed_percent=+50", 0, 50, 50),
        ("calls.failed_percent=49.9", 1, 49.9, 50),
        ("cost.total_cost_cents=+50%", 0, 60, 60),
        ("cost.total_cost_cents=59", 1, 59, 60),
        ("cost.avg_total_cost_cents=+4.9", 1, 14.9, 15),
        ("cost.avg_total_cost_cents=15", 0, 15, 15),
        ("cost.llm_cost_cents=+0%", 1, 8, 12),
        ("cost.stt_cost_cents=5", 2, 5, None),
    ],
)
def test_limits_on_cost_and_on_failed_calls(
    gating: Gating, limit: str, status: int, number: float, candidate: float | None
) -> None:
    for execution, failed, total, llm in ((1, 0, 10, 2), (2, 2, 15, 3)):
        cost = {"total_cost_cents": total, "llm_cost_cents": llm}
        gating.record(execution, [{**each, "cost": cost} for each in failing(4, failed)])
    found = gating.judge(f"--max={limit}")
    assert found["exit"] == status
    (judged,) = found["limits"]
    assert (judged["limit"], judged["candidate"]) == (number, candidate)


def test_without_limits_chance_is_tolerated_and_a_change_is_not(gating: Gating) -> None:
    gating.record(1, latencies(1000, 30, seed=1))
    gating.record(2, latencies(1000, 30, seed=8))
    noisy = gating.judge()
    worst = max(each["difference_percent"] or 0 for each in noisy["metrics"])
    assert worst > 10, "the example is to be one that looks worse"
    assert noisy["exit"] == 0
    assert gating.judge("--tolerance=10%")["exit"] == 1
    gating.record(3, latencies(1900, 30, seed=4))
    assert gating.judge()["exit"] == 1


@pytest.mark.parametrize(
    ("changed", "tolerance", "status"),
    [(1050, "chance", 0), (1051, "chance", 1), (1051, "6%", 0), (1001, "0%", 1), (900, "0%", 0)],
)
def test_of_single_calls_five_percent_is_tolerated(
    gating: Gating, changed: int, tolerance: str, status: int
) -> None:
    gating.record(1, [ONE])
    gating.record(2, [{"latency": {"avg_agent_latency_ms": changed}}])
    assert gating.judge(f"--tolerance={tolerance}")["exit"] == status


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [((30, 2), (30, 5), 0), ((30, 2), (30, 20), 1), ((3, 0), (3, 3), 1), ((400, 0), (400, 30), 1)],
)
def test_without_limits_more_calls_may_fail_only_by_chance(
    gating: Gating, before: tuple[int, int], after: tuple[int, int], status: int
) -> None:
    gating.record(1, failing(*before))
    gating.record(2, failing(*after))
    found = gating.judge()
    assert found["exit"] == status
    assert [each["metric"] for each in found["limits"] if each["outcome"] == "exceeded"] == (
        ["calls.failed_percent"] if status else []
    )


def test_what_nobody_measured_is_not_compared(gating: Gating) -> None:
    gating.record(1, [{}])
    gating.record(2, [{}])
    assert (gating.judge()["exit"], gating.judge()["status"]) == (2, "not_compared")
    assert gating.judge("--tolerance=5%")["exit"] == 2


def test_as_markdown_it_is_a_comment_in_which_names_are_only_text(gating: Gating) -> None:
    run_test = "a|b <img> @all `x`"
    escaped = r"a\|b \<img\> \@all \`x\`"
    gating.record(1, [ONE], run_test=run_test)
    gating.record(2, failing(1, 1), run_test=run_test)
    status, printed, _ = gating.run(
        f"--run-test={run_test}",
        "--baseline=previous",
        "--max=calls.failed=0",
        "--min=chat.avg_csat_score=-5%",
        "--format=markdown",
    )
    assert status == 1
    head, executions, limits, metrics = printed.rstrip("\n").split("\n\n")
    assert head == f"### {escaped}: worse than allowed"
    assert executions.splitlines() == [
        "|  | execution | run test | calls | failed |",
        "| --- | --- | --- | ---: | ---: |",
        f"| baseline | `{execution_id(1)}` | {escaped} | 1 | 0 |",
        f"| candidate | `{execution_id(2)}` | {escaped} | 1 | 1 |",
    ]
    assert limits.splitlines() == [
        "| limit |  | comes to | candidate | outcome |",
        "| --- | --- | ---: | ---: | --- |",
        "| `calls.failed` | max 0 | 0 | 1 | **exceeded** |",
        "| `chat.avg_csat_score` | min -5% | - | - | unknown |",
    ]
    assert metrics.splitlines()[:3] == [
        "| metric | baseline | candidate | difference | % | verdict |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        "| `latency.avg_agent_latency_ms` | 1000 | 1000 | +0 | +0.00% | same |",
    ]
    assert len(metrics.splitlines()) == 12


def test_as_json_it_is_the_whole_report(gating: Gating) -> None:
    gating.record(1, [ONE])
    gating.record(2, failing(1, 1))
    found = gating.judge("--max=latency.percentiles.p95=+10%")
    assert found["exit"] == 0
    assert found["candidate"] == {
        "execution_id": execution_id(2),
        "run_test_name": RUN_TEST,
        "calls": 1,
        "failed_calls": 1,
    }
    assert found["metrics"][0] == {
        "metric": "latency.avg_agent_latency_ms",
        "baseline": 1000,
        "candidate": 1000,
        "difference": 0,
        "difference_percent": 0,
        "better": "lower",
        "verdict": "same",
    }
    assert found["limits"] == [
        {
            "metric": "latency.percentiles.p95",
            "bound": "max_change_percent",
            "number": 10,
            "limit": 1100,
            "candidate": 1000,
            "outcome": "within",
        }
    ]
