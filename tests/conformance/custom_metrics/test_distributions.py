"""Distributions among plain values are answered by every store in the same way, errors and all."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, Practice
from tests.conformance.custom_metrics.factories import FACTORIES, NOON_US, sqlite
from tests.custom_metrics.distribution_strategies import given_distributions
from tests.custom_metrics.points import Point
from tests.effort import tries_on

from vumeter_server.custom_metrics.aggregation import Function, Functions, Statistic
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.questions import (
    FunctionOfMetric,
    GroupedQuery,
    Selection,
    TimeseriesQuery,
)

# The oracle in lists knows distributions as points alone.
OTHERS = {name: each for name, each in FACTORIES.items() if name not in ("sqlite", "memory")}
METRIC = "latency_ms"
RANGE = (NOON_US - DAY_US, NOON_US + 1)
FUNCTIONS = [
    *(Function(each) for each in Statistic if each is not Statistic.PERCENTILE),
    *(Function(Statistic.PERCENTILE, percent) for percent in (1, 50, 95, Fraction("99.99"), 100)),
]


def point(number: int, measured: int | GivenDistribution) -> Point:
    made = Point(
        name=METRIC,
        type="histogram",
        timestamp=NOON_US - number * HOUR_US // 3,
        session_id=f"s{number % 3}",
        tags={"company_id": f"c{number % 2}"},
    )
    if isinstance(measured, GivenDistribution):
        return replace(made, distribution=measured)
    return replace(made, value=measured)


def answers(practice: Practice) -> list[Any]:
    """Return what is asked of the metric, in the order of buckets and groups."""
    store, organization_id = practice.subject.store, practice.organization_id
    run = practice.subject.run
    percentile = Function(Statistic.PERCENTILE, 90)
    series = run(
        store.timeseries(
            organization_id,
            TimeseriesQuery(
                selection=Selection(start_us=RANGE[0], end_us=RANGE[1]),
                metric_name=METRIC,
                step_us=HOUR_US,
                functions=Functions(counter=percentile, gauge=percentile, histogram=percentile),
            ),
        )
    )
    columns = [FunctionOfMetric(metric_name=METRIC, function=each) for each in FUNCTIONS]
    query = GroupedQuery(
        bounds_us=(RANGE[0], NOON_US - HOUR_US, RANGE[1]), columns=columns, group_by=["company_id"]
    )
    grouped = run(store.at_one_moment(organization_id, lambda ask: ask(query)))
    errors = None if grouped.errors is None else grouped.errors.tolist()
    rows = sorted(
        (
            bucket,
            grouped.labels[group],
            [repr(each) for each in values],
            counts,
            errors and errors[row],
        )
        for row, (bucket, group, values, counts) in enumerate(
            zip(
                grouped.buckets.tolist(),
                grouped.groups.tolist(),
                grouped.values.tolist(),
                grouped.counts.tolist(),
                strict=True,
            )
        )
    )
    sessions = [run(store.session(organization_id, f"s{number}")) for number in range(3)]
    return [
        series.buckets.tolist(),
        series.values.tolist(),
        series.counts.tolist(),
        None if series.errors is None else series.errors.tolist(),
        rows,
        sessions,
        practice.sums(by=["company_id"]),
    ]


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", OTHERS)
def test_distributions_are_answered_alike(name: str) -> None:
    @given(st.lists(st.integers(0, 40) | given_distributions(), min_size=1, max_size=12))
    @settings(deadline=None, max_examples=tries_on(name, 25, 1_000))
    def holds(measured: list[int | GivenDistribution]) -> None:
        with contextlib.ExitStack() as stack:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            found = []
            for each in (OTHERS[name], sqlite):
                subject = stack.enter_context(each(path, lambda: NOON_US))
                practice = Practice.of(subject)
                practice.record(*(point(number, one) for number, one in enumerate(measured)))
                found.append(answers(practice))
            assert found[0] == found[1]

    holds()
