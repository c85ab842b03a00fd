"""Distributions that break a rule: the field is named, and nothing is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.custom_metrics.in_process import InProcess

from vumeter_server.errors import InvalidArgument


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with InProcess(tmp_path_factory.mktemp("distributions") / "vumeter.db") as opened:
        yield opened


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
