"""What two executions of the same agent differ by is tolerated; real changes are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.effort import tries

from vumeter_server.simulation.compare import METRICS
from vumeter_server.simulation.model import NUMBER_NAMES
from vumeter_server.simulation.noise import (
    Values,
    source_of,
    tolerated_change,
    tolerated_failures,
)

MEAN = "latency.avg_agent_latency_ms"
MEDIAN, P95 = "latency.percentiles.p50", "latency.percentiles.p95"
COMPUTED: dict[str, Callable[[Values], Any]] = {
    MEAN: np.mean,
    MEDIAN: np.median,
    P95: lambda values: np.percentile(values, 95),
}


def drawn(random: np.random.Generator, count: int, mean: float = 1_000.0) -> Values:
    """Return latencies that vary by half of their mean, with a long tail."""
    return random.gamma(4, mean / 4, count)


def is_worse(metric: str, baseline: Values, candidate: Values) -> bool:
    before, after = (float(COMPUTED[metric](each)) for each in (baseline, candidate))
    return after - before > tolerated_change(metric, before, baseline, candidate)


@pytest.mark.parametrize("metric", COMPUTED)
@pytest.mark.parametrize("count", [10, 30, 300])
def test_the_same_agent_is_hardly_ever_worse(metric: str, count: int) -> None:
    random = np.random.default_rng(7)
    rounds = tries(100, 1_000)
    worse = sum(is_worse(metric, drawn(random, count), drawn(random, count)) for _ in range(rounds))
    assert worse <= rounds * 0.02


@pytest.mark.parametrize(("count", "slower"), [(30, 1.9), (300, 1.25), (3_000, 1.1)])
def test_the_more_calls_the_smaller_the_change_that_is_seen(count: int, slower: float) -> None:
    random = np.random.default_rng(7)
    seen = sum(
        is_worse(MEAN, drawn(random, count), drawn(random, count, 1_000 * slower))
        for _ in range(100)
    )
    assert seen >= 90


def test_few_or_equal_values_tolerate_five_percent() -> None:
    wild = np.array([1.0, 4_000.0, 20.0, 9_000.0])
    assert tolerated_change(MEAN, 1_000, wild, drawn(np.random.default_rng(7), 500)) == 50
    same = np.full(30, 4.0)
    for metric in METRICS:
        assert tolerated_change(metric, 4.0, same, same) == pytest.approx(0.2)


def test_every_compared_metric_has_the_numbers_that_it_comes_from() -> None:
    assert {source_of(metric) for metric in METRICS} <= set(NUMBER_NAMES)


@pytest.mark.parametrize(
    ("failed", "calls", "points"),
    [
        ((0, 0), (30, 30), 5.0),
        ((0, 3), (3, 3), 50.0),
        ((0, 5), (1_000, 1_000), 5.0),
        ((5, 5), (10, 10), 50.0),
        ((50, 50), (100, 100), 21.213),
    ],
)
def test_failures_are_tolerated_by_their_standard_error(
    failed: tuple[int, int], calls: tuple[int, int], points: float
) -> None:
    assert tolerated_failures(failed, calls) == pytest.approx(points, abs=0.001)
