"""Types of metrics, fixed by their first point, and the defaults of points."""

from __future__ import annotations

import pytest
from tests.custom_metrics.points import NOW_US, Point, checked

from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.errors import InvalidArgument

KNOWN = {"booking_attempt": MetricType.COUNTER, "queue_length": MetricType.GAUGE}


def problems(*points: Point) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        settle(checked(*points), KNOWN, NOW_US)
    return [violation.sentence for violation in caught.value.violations]


def test_defaults_are_filled_in() -> None:
    batch = checked(
        Point(),
        Point(value=2.5, timestamp="2025-03-31T00:00:00Z"),
        Point(name="queue_length", value=-3),
        Point(name="faq_query"),
        Point(name="ttfb_ms", type="histogram", value=180),
        Point(name="ttfb_ms", value=-1),
    )
    settled = settle(batch, KNOWN, NOW_US)
    assert settled.new_types == {
        "faq_query": MetricType.COUNTER,
        "ttfb_ms": MetricType.HISTOGRAM,
    }
    assert settled.values.tolist() == [1.0, 2.5, -3.0, 1.0, 180.0, -1.0]
    assert settled.times_us.tolist() == [NOW_US, NOW_US - 86_400_000_000, *[NOW_US] * 4]


def test_a_metric_keeps_its_first_type() -> None:
    assert problems(Point(), Point(type="gauge", value=-1), Point(type="counter")) == [
        "points[1].type must be counter, as this metric was first recorded"
    ]


def test_a_batch_fixes_the_type_of_a_new_metric_by_its_first_point() -> None:
    explicit = [Point(name="x", type="gauge", value=1), Point(name="x", value=2)]
    assert settle(checked(*explicit), KNOWN, NOW_US).new_types == {"x": MetricType.GAUGE}
    assert problems(*reversed(explicit)) == [
        "points[1].type must be counter, as this metric was first recorded"
    ]


def test_values_are_held_to_the_metrics_own_type() -> None:
    assert problems(
        Point(value=-1),
        Point(name="queue_length"),
        Point(name="faq_query", value=-0.5),
        Point(name="queue_length", value=0),
    ) == [
        "points[0].value must not be negative for a counter",
        "points[1].value must be given for a gauge",
        "points[2].value must not be negative for a counter",
    ]


def test_an_empty_batch_settles_nothing() -> None:
    settled = settle(checked(), KNOWN, NOW_US)
    assert (settled.new_types, settled.values.tolist(), settled.times_us.tolist()) == ({}, [], [])
