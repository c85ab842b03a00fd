from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation import reference

from vumeter_server.simulation.aggregation import (
    MEANS,
    CallTotals,
    ExecutionMetrics,
    percentiles_of,
)
from vumeter_server.simulation.decimals import round_reported
from vumeter_server.simulation.model import CALL_STATUSES, NUMBER_NAMES, ExecutionReport

plausible = st.integers(min_value=0, max_value=5_000_000_000).map(lambda micros: micros / 1_000_000)
tied = st.sampled_from([640.0, 640.5, 1234.0])
any_size = st.floats(min_value=0, max_value=1.7e308).map(round_reported)
numbers = st.one_of(plausible, tied, any_size)
latencies = st.one_of(
    st.lists(plausible, max_size=60), st.lists(tied, max_size=60), st.lists(numbers, max_size=60)
)
calls = st.lists(
    st.tuples(
        st.sampled_from(CALL_STATUSES),
        st.tuples(*[st.none() | numbers for _ in NUMBER_NAMES]),
    ),
    max_size=30,
)


def totals_of(reported: Sequence[tuple[str, Sequence[float | None]]]) -> CallTotals:
    totals = CallTotals()
    for status, values in reported:
        totals.add(status, values)
    return totals


@given(latencies, st.lists(st.floats(min_value=0, max_value=100), max_size=5))
def test_percentiles_are_linear_between_ranks(values: list[float], more: list[float]) -> None:
    wanted = sorted({0.0, 50.0, 95.0, 99.0, 100.0, *more})
    expected = tuple((each, reference.percentile(values, each)) for each in wanted if values)
    assert percentiles_of(np.array(values), wanted) == expected


@given(st.lists(plausible, min_size=1, max_size=200))
def test_percentiles_agree_with_numpy(values: list[float]) -> None:
    ours = [value for _, value in percentiles_of(np.array(values), (50.0, 95.0, 99.0))]
    assert ours == pytest.approx(np.percentile(values, (50, 95, 99), method="linear"), abs=0.0501)


@given(calls)
def test_means_are_those_of_the_decimals_reported(
    reported: list[tuple[str, tuple[float | None, ...]]],
) -> None:
    totals = totals_of(reported)
    for metric in MEANS:
        place = NUMBER_NAMES.index(metric.source)
        values = [given[place] for _, given in reported]
        present = [value for value in values if value is not None]
        assert totals.mean(metric) == reference.mean(present, metric.decimals)
        assert totals.samples_of(metric.source) == len(present)
    assert sum(totals.calls) == len(reported)


@given(calls, st.randoms(use_true_random=False))
def test_removing_calls_leaves_the_others_exactly_whatever_the_order(
    reported: list[tuple[str, tuple[float | None, ...]]], random: Random
) -> None:
    kept, gone = reported[::2], reported[1::2]
    in_any_order = random.sample(reported, len(reported))
    totals = totals_of(in_any_order)
    random.shuffle(gone)
    for status, values in gone:
        totals.remove(status, values)
    assert totals == totals_of(kept)


def execution(totals: CallTotals, report: ExecutionReport | None = None) -> ExecutionMetrics:
    report = report or ExecutionReport(
        execution_id="5819e158-0000-4000-8000-000000000001", run_test_name="My Agent Test"
    )
    return ExecutionMetrics(report=report, totals=totals, percentiles=())


def test_an_execution_without_calls_has_no_metrics() -> None:
    empty = execution(CallTotals())
    assert empty.total_calls == 0
    assert empty.value("latency", "avg_agent_latency_ms") is None
    assert empty.value("latency.percentiles", "p95") is None
    assert empty.totals.sum_of("duration_seconds") is None


def test_reported_call_counts_win_over_counted_ones() -> None:
    totals = totals_of([("completed", [None] * len(NUMBER_NAMES))] * 2)
    counted = execution(totals)
    assert (counted.total_calls, counted.completed_calls, counted.failed_calls) == (2, 2, 0)
    reported = execution(
        totals,
        ExecutionReport(
            execution_id="5819e158-0000-4000-8000-000000000001",
            run_test_name="My Agent Test",
            total_calls=30,
            completed_calls=0,
            failed_calls=3,
        ),
    )
    assert (reported.total_calls, reported.completed_calls, reported.failed_calls) == (30, 0, 3)


def test_a_sum_of_durations_is_whole_when_it_can_be() -> None:
    place = NUMBER_NAMES.index("duration_seconds")

    def lasting(seconds: float) -> tuple[str, list[float | None]]:
        values: list[float | None] = [None] * len(NUMBER_NAMES)
        values[place] = seconds
        return "completed", values

    assert str(totals_of([lasting(30.5), lasting(38.5)]).sum_of("duration_seconds")) == "69"
    assert totals_of([lasting(0.1)] * 3).sum_of("duration_seconds") == 0.3
    assert totals_of([lasting(1.7e308)] * 3).sum_of("duration_seconds") == 1.7976931348623157e308
