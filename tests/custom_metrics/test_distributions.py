"""Distributions, held against the very values that they were made of, in every layout."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custom_metrics.distribution_strategies import (
    BOUNDS,
    Recorded,
    exactly,
    recorded,
)
from tests.custom_metrics.in_process import InProcess
from tests.effort import tries

from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems

PERCENTS = (0.1, 25, 50, 95, 99.9, 100)
# Doubles that are added up in another order differ in their last digits.
NEARLY = 1e-9


class Checking:
    """Asks everything of what was recorded."""

    def __init__(self, calls: InProcess) -> None:
        self.calls = calls
        self.recorded: list[Recorded] = []

    def record(self, points: Sequence[Recorded]) -> None:
        self.recorded += points
        self.calls.record([each.point for each in points])

    def check(self) -> None:
        for group in ({}, {"agentId": "a"}, {"sessionId": "s-1"}):
            chosen = [each for each in self.recorded if group.items() <= each.point.items()]
            if chosen:
                self.check_group(group, chosen)
        sums = self.calls.get(
            "/v1/custom-metrics/daily",
            {"startDate": "2025-04-01", "endDate": "2025-04-09", "timezone": "UTC"},
        )
        for each in sums["data"]:
            of_day = [r for r in self.recorded if r.point["timestamp"].startswith(each["date"])]
            total = math.fsum(value for r in of_day for value in r.values)
            assert each["metrics"]["latency_ms"] == pytest.approx(total, rel=NEARLY, abs=1e-6)

    def check_group(self, group: dict[str, str], chosen: Sequence[Recorded]) -> None:
        names = {"agentId": "agent_id", "sessionId": "session_id"}
        columns: list[dict[str, Any]] = [
            {"as": function, "metric": "latency_ms", "function": function}
            for function in ("sum", "count", "mean", "min", "max", "last")
        ]
        columns += [
            {"as": f"p{n}", "metric": "latency_ms", "function": "percentile", "percentile": percent}
            for n, percent in enumerate(PERCENTS)
        ]
        body = {
            "startDate": "2025-04-01",
            "endDate": "2025-04-09",
            "metrics": columns,
            "filters": [
                {"label": names[key], "op": "=", "value": value} for key, value in group.items()
            ],
        }
        (row,) = self.calls.query(json.dumps(body))["data"]["rows"]
        found, errors = row["values"], row.get("errors", {})
        of = [value for each in chosen for value in each.values]
        assert found["count"] == len(of)
        assert found["sum"] == pytest.approx(math.fsum(of), rel=NEARLY, abs=1e-6)
        assert found["mean"] == pytest.approx(math.fsum(of) / len(of), rel=NEARLY, abs=1e-6)
        if all(each.has_extremes or len(each.values) == 1 for each in chosen):
            assert found["min"] == pytest.approx(min(of), rel=NEARLY, abs=1e-6)
            assert found["max"] == pytest.approx(max(of), rel=NEARLY, abs=1e-6)
        plain = [each for each in chosen if "value" in each.point]
        assert row["counts"]["last"] == len(plain)
        latest = max((each.point["timestamp"] for each in plain), default="")
        last = [each.values[0] for each in plain if each.point["timestamp"] == latest]
        assert found["last"] == (pytest.approx(last[-1]) if last else None)
        for number, percent in enumerate(PERCENTS):
            name, true = f"p{number}", exactly(of, percent)
            assert row["counts"][name] == len(of)
            if is_bounded(chosen):
                off = abs(found[name] - true)
                assert off <= errors.get(name, 0) + NEARLY * abs(true) + 1e-6, (percent, true)


def is_bounded(chosen: Sequence[Recorded]) -> bool:
    """Whether no value can lie in a bucket without an end; of such a bucket no error is known."""
    return all(
        each.has_extremes
        or "bounds" not in each.point.get("distribution", {})
        or all(0 < value <= BOUNDS[-1] for value in each.values)
        for each in chosen
    )


lists = st.lists(recorded(), min_size=1, max_size=8)


@settings(max_examples=tries(20, 500), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=st.lists(st.tuples(lists, st.booleans()), min_size=1, max_size=3))
def test_answers_are_those_of_the_values_in_every_layout(
    batches: list[tuple[list[Recorded], bool]],
) -> None:
    # Each in a database of its own, since all of it is verified.
    with (
        tempfile.TemporaryDirectory() as directory,
        InProcess(Path(directory) / "vumeter.db") as calls,
    ):
        calls.new_organization()
        check_in_every_layout(calls, batches)


def check_in_every_layout(calls: InProcess, batches: list[tuple[list[Recorded], bool]]) -> None:
    checking = Checking(calls)
    for points, flushes in batches:
        checking.record(points)
        if flushes:
            calls.flush()
        checking.check()
    calls.flush()
    checking.check()
    assert calls.database.read(lambda connection: list(find_problems(connection))) == []
    if any(each.point["agentId"] == "a" for each in checking.recorded):
        deleted = calls.delete(
            json.dumps({"filters": [{"label": "agent_id", "op": "=", "value": "a"}]})
        )
        kept = [each for each in checking.recorded if each.point["agentId"] != "a"]
        assert deleted == {"data": {"deleted": len(checking.recorded) - len(kept)}}
        checking.recorded = kept
        if kept:
            checking.check()
        assert calls.database.read(lambda connection: list(find_problems(connection))) == []
