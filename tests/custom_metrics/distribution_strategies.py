"""Distributions for hypothesis to choose from, with the values that they were made of."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
)

BOUNDS = (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1_000.0)
DAYS = ("2025-04-01", "2025-04-02", "2025-04-04")

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
