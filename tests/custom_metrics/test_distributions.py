"""Distributions, held against the very values that they were made of, in every layout."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custom_metrics.in_process import InProcess

from vumeter_server.custom_metrics.distribution_percentiles import percentile
from vumeter_server.custom_metrics.distribution_rules import problem_of
from vumeter_server.custom_metrics.distributions import Distributions, joined
from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
    collect,
    given_of,
)
from vumeter_server.custom_metrics.sqlite.formats.distributions import (
    decode_distributions,
    encode_distributions,
)
from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.errors import InvalidArgument

PERCENTS = (0.1, 25, 50, 95, 99.9, 100)
BOUNDS = (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1_000.0)
DAYS = ("2025-04-01", "2025-04-02", "2025-04-04")
# Doubles that are added up in another order differ in their last digits.
NEARLY = 1e-9

values = st.one_of(
    st.floats(0.001, 2_000, allow_nan=False).map(lambda value: round(value, 3)),
    st.integers(0, 40).map(float),
    st.floats(-50, -0.01).map(lambda value: round(value, 3)),
    st.just(0.0),
)


def explicit(of: Sequence[float], bounds: Sequence[float]) -> dict[str, Any]:
    counts = [0] * (len(bounds) + 1)
    for value in of:
        counts[bisect_left(bounds, value)] += 1
    return {"bounds": list(bounds), "bucketCounts": counts}


def exponential(of: Sequence[float], scale: int) -> dict[str, Any]:
    sides = {"positive": Counter[int](), "negative": Counter[int]()}
    for value in of:
        if value:
            index = math.ceil(math.log2(abs(value)) * 2.0**scale) - 1
            # The logarithm may be off in its last digit.
            while 2.0 ** (index * 2.0**-scale) >= abs(value):
                index -= 1
            while 2.0 ** ((index + 1) * 2.0**-scale) < abs(value):
                index += 1
            sides["positive" if value > 0 else "negative"][index] += 1
    made: dict[str, Any] = {"scale": scale, "zeroCount": sum(value == 0 for value in of)}
    for side, counts in sides.items():
        if counts:
            first, last = min(counts), max(counts)
            of_side = [counts[index] for index in range(first, last + 1)]
            made[side] = {"offset": first, "bucketCounts": of_side}
    return made


@dataclass(frozen=True)
class Recorded:
    """A point, and the values that it stands for."""

    values: tuple[float, ...]
    point: dict[str, Any]
    has_extremes: bool


@st.composite
def recorded(draw: st.DrawFn) -> Recorded:
    point: dict[str, Any] = {
        "name": "latency_ms",
        "type": "histogram",
        "timestamp": f"{draw(st.sampled_from(DAYS))}T{draw(st.integers(0, 23)):02}:10:00Z",
        "agentId": draw(st.sampled_from(("a", "b"))),
    }
    if draw(st.booleans()):
        point["sessionId"] = draw(st.sampled_from(("s-1", "s-2")))
    if draw(st.integers(0, 2)) == 0:
        value = draw(values)
        return Recorded((value,), {**point, "value": value}, True)
    of = draw(st.lists(values, min_size=1, max_size=12))
    form = draw(st.sampled_from(("explicit", "one", "exponential")))
    has_extremes = form == "one" or draw(st.booleans())
    distribution: dict[str, Any] = {"count": len(of), "sum": math.fsum(of)}
    if has_extremes:
        distribution |= {"min": min(of), "max": max(of)}
    if form == "explicit":
        distribution |= explicit(of, BOUNDS)
    elif form == "exponential":
        # Finer buckets than 12 for such values are more than are taken.
        distribution |= exponential(of, draw(st.integers(-2, 4)))
    return Recorded(tuple(of), {**point, "distribution": distribution}, has_extremes)


def exactly(of: Sequence[float], percent: float) -> float:
    rank = math.ceil(Fraction(str(percent)) / 100 * len(of))
    return sorted(of)[rank - 1]


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


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with InProcess(tmp_path_factory.mktemp("distributions") / "vumeter.db") as opened:
        yield opened


lists = st.lists(recorded(), min_size=1, max_size=8)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches=st.lists(st.tuples(lists, st.booleans()), min_size=1, max_size=3))
def test_answers_are_those_of_the_values_in_every_layout(
    calls: InProcess, batches: list[tuple[list[Recorded], bool]]
) -> None:
    calls.new_organization()
    checking = Checking(calls)
    for points, flushes in batches:
        checking.record(points)
        if flushes:
            calls.seal()
        checking.check()
    calls.seal()
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


def given_distributions() -> st.SearchStrategy[GivenDistribution]:
    return recorded().filter(lambda each: "distribution" in each.point).map(_given)


def _given(each: Recorded) -> GivenDistribution:
    body = each.point["distribution"]
    buckets = {
        side: ExponentialBuckets(body[side]["offset"], tuple(body[side]["bucketCounts"]))
        for side in ("positive", "negative")
        if side in body
    }
    return GivenDistribution(
        count=body["count"],
        sum=body["sum"],
        min=body.get("min"),
        max=body.get("max"),
        bounds=tuple(body.get("bounds", ())),
        counts=tuple(body.get("bucketCounts", ())),
        scale=body.get("scale"),
        zero_count=body.get("zeroCount", 0),
        **buckets,
    )


def listed(distributions: Distributions | None) -> list[Any]:
    assert distributions is not None
    return [getattr(distributions, name).tolist() for name in Distributions.__slots__]


@settings(max_examples=100, deadline=None)
@given(st.lists(given_distributions(), min_size=1, max_size=6))
def test_what_is_written_is_read(each: list[GivenDistribution]) -> None:
    distributions = collect([(3 * number, one) for number, one in enumerate(each)])
    assert distributions is not None
    assert listed(decode_distributions(encode_distributions(distributions))) == listed(
        distributions
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(given_distributions(), min_size=1, max_size=6), st.randoms())
def test_taking_some_in_another_order_keeps_each(each: list[GivenDistribution], order: Any) -> None:
    rows = [(2 * number + 1, one) for number, one in enumerate(each)]
    distributions = collect(rows)
    assert distributions is not None
    points = 2 * len(each) + 2
    chosen = list(range(points))
    order.shuffle(chosen)
    chosen = chosen[: order.randint(1, points)]
    expected = collect(
        sorted((chosen.index(position), one) for position, one in rows if position in chosen)
    )
    taken = distributions.taken(np.array(chosen, np.int64), points)
    assert (taken is None) == (expected is None)
    if taken is not None:
        assert listed(taken) == listed(expected)
    half = points // 2
    parts = [(distributions.between(0, half), half), (distributions.between(half, points), half)]
    assert listed(joined(parts)) == listed(distributions)


@settings(max_examples=100, deadline=None)
@given(given_distributions())
def test_what_is_given_again_answers_alike(one: GivenDistribution) -> None:
    first = collect([(0, one)])
    assert first is not None
    (again,) = given_of(first, [one.sum])
    assert problem_of(again) is None
    second = collect([(0, again)])
    assert second is not None
    assert first.counts == second.counts
    # A bucket of one value has bounds right beside it.
    assert second.minima == pytest.approx(first.minima, rel=1e-12, abs=1e-12)
    assert second.maxima == pytest.approx(first.maxima, rel=1e-12, abs=1e-12)
    for percent in (1, 50, 95, 100):
        before = percentile(np.array([one.sum]), first, percent)
        assert percentile(np.array([one.sum]), second, percent) == pytest.approx(
            before, rel=1e-6, abs=1e-9
        )


LIVEKIT = (0.0, 5.0, 10.0, 25.0)


@pytest.mark.parametrize("of", [(0.8,), (0.8, 2.1), (0.8, 1.4, 2.1)])
def test_few_values_in_one_wide_bucket_come_back_exactly(of: tuple[float, ...]) -> None:
    one = GivenDistribution(
        count=len(of),
        sum=math.fsum(of),
        min=min(of),
        max=max(of),
        bounds=LIVEKIT,
        counts=(0, len(of), 0, 0, 0),
    )
    found = collect([(0, one)])
    assert found is not None
    for percent in (1, 50, 95, 100):
        value, error = percentile(np.array([one.sum]), found, percent)
        assert value == pytest.approx(exactly(of, percent))
        assert error == 0


@pytest.mark.parametrize("scale", [7, 12, 20])
def test_fine_exponential_buckets_are_within_half_a_percent(scale: int) -> None:
    chosen = np.random.default_rng(7).lognormal(6, 0.6, 400).tolist()
    body = exponential(chosen, 7)
    shift = 2 ** (scale - 7)
    one = GivenDistribution(
        count=len(chosen),
        sum=math.fsum(chosen),
        scale=7,
        positive=ExponentialBuckets(
            body["positive"]["offset"], tuple(body["positive"]["bucketCounts"])
        ),
    )
    assert shift >= 1
    found = collect([(0, one)])
    assert found is not None
    for percent in (1, 50, 90, 95, 99):
        value, error = percentile(np.array([one.sum]), found, percent)
        true = exactly(chosen, percent)
        assert abs(value - true) <= 0.005 * true
        assert error <= 0.005 * true


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"count": 0, "sum": 0, "min": 0, "max": 0}, "count", "must be from 1 to 2^53"),
    ({"count": 3, "sum": 3, "bounds": [1], "bucketCounts": [1, 1]}, "count", "must be the sum"),
    ({"count": 2, "sum": 2e15, "min": 1, "max": 1}, "sum", "must be a finite number"),
    ({"count": 2, "sum": 30, "min": 1, "max": 2}, "sum", "must be one that values"),
    ({"count": 2, "sum": 3, "min": 2, "max": 1}, "max", "must not be less than min"),
    ({"count": 1, "sum": 1, "min": 1}, "max", "must be given where there are no bounds"),
    ({"count": 1, "sum": 1, "bounds": [2, 1], "bucketCounts": [1, 0, 0]}, "bounds", "must ascend"),
    (
        {"count": 1, "sum": 1, "bounds": [1, 2], "bucketCounts": [1, 0]},
        "bucketCounts",
        "must be one",
    ),
    ({"count": 1, "sum": 1, "bounds": [2], "bucketCounts": [2, -1]}, "bucketCounts", "must not be"),
    (
        {"count": 1, "sum": 9, "min": 9, "bounds": [2], "bucketCounts": [1, 0]},
        "min",
        "must be within",
    ),
    (
        {"count": 1, "sum": 1, "max": 1, "bounds": [2], "bucketCounts": [0, 1]},
        "max",
        "must be within",
    ),
    ({"count": 1, "sum": 1, "scale": 21}, "scale", "must be from -10 to 20"),
    ({"count": 1, "sum": 1, "scale": -11}, "scale", "must be from -10 to 20"),
    ({"count": 1, "sum": 1, "scale": 1, "bounds": [1]}, "bounds", "must not be given with scale"),
    ({"count": 1, "sum": 1, "zeroCount": 1}, "scale", "must be given with exponential"),
    ({"count": 1, "sum": 1, "scale": 1, "zeroCount": -1}, "zeroCount", "must not be negative"),
    (
        {"count": 1, "sum": 1, "scale": 0, "positive": {"offset": 60, "bucketCounts": [1]}},
        "positive.offset",
        "must be that of values up to 1e15",
    ),
    (
        {"count": 1, "sum": 1, "scale": 0, "negative": {"bucketCounts": [1] * 2_001}},
        "negative.bucketCounts",
        "must be at most 2,000",
    ),
]


@pytest.mark.parametrize(
    ("distribution", "field", "problem"), WRONG, ids=lambda each: str(each)[:40]
)
def test_each_rule_names_its_field(
    calls: InProcess, distribution: dict[str, Any], field: str, problem: str
) -> None:
    good = {"name": "x", "type": "histogram", "value": 1}
    point = {"name": "x", "type": "histogram", "distribution": distribution}
    with pytest.raises(InvalidArgument) as caught:
        calls.post(json.dumps({"points": [good, point]}))
    (violation,) = caught.value.respelled(calls.rest.field_names).violations
    assert violation.field == f"points[1].distribution.{field}"
    assert violation.problem.startswith(problem)


ONE = {"count": 2, "sum": 3, "min": 1, "max": 2}


def test_only_histograms_have_distributions_and_a_new_one_says_that_it_is_one(
    calls: InProcess,
) -> None:
    calls.new_organization()
    for point, field in (
        ({"type": "counter"}, "points[0].distribution"),
        ({}, "points[0].type"),
        ({"type": "histogram", "value": 1}, "points[0].distribution"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            calls.post(json.dumps({"points": [{"name": "new", "distribution": ONE, **point}]}))
        assert [each.field for each in caught.value.violations] == [field]
    calls.post(json.dumps({"points": [{"name": "turns"}]}))
    with pytest.raises(InvalidArgument, match="must not be given for a counter"):
        calls.post(json.dumps({"points": [{"name": "turns", "distribution": ONE}]}))
    calls.post(json.dumps({"points": [{"name": "new", "type": "histogram", "value": 1}]}))
    calls.post(json.dumps({"points": [{"name": "new", "distribution": ONE}]}))
