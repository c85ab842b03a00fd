"""The rules of distributions: what each field must be, and what contradicts the buckets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.bucket_columns import collect
from vumeter_server.custom_metrics.bucket_sums import TOLERANCE, fit_buckets, surely_fits
from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.given_distributions import (
    MAX_BOUND,
    Bucket,
    ExponentialBuckets,
    GivenDistribution,
    buckets_of,
    or_else,
)
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.violations import Findings

MAX_BUCKETS: Final = 2_000
"""So many explicit buckets, or exponential ones on a side, empty ones among them."""
MIN_SCALE: Final = -10
MAX_SCALE: Final = 20
MAX_COUNT: Final = 2**53
TYPES: Final = frozenset(MetricType)
_MAX_EXPONENT: Final = math.log2(MAX_BOUND)
# From so many on, adding them up by numpy is quicker.
_MANY_BUCKETS: Final = 16
# From so many on, distributions are checked together; from more on, without a look at each before.
_MANY: Final = 8
_VERY_MANY: Final = 24


def read_distributions(
    given: Mapping[int, GivenDistribution],
    types: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    findings: Findings,
    attribute: str = "distribution",
) -> Distributions | None:
    """Check distributions and return them as columns; their sums become values of the points.

    With an `attribute` of "" the elements that `findings` speaks of are the distributions.
    """
    rows = sorted(given.items())
    problems = problems_of([each for _, each in rows])
    for number, (index, each) in enumerate(rows):
        # Where they are a column of their own, they are counted by themselves.
        place = index if attribute else number
        if attribute and not np.isnan(values[index]):
            findings.add(place, attribute, "must not be given together with a value")
            continue
        if types[index] not in (0, MetricType.HISTOGRAM):
            name = MetricType(types[index]).name.lower() if types[index] in TYPES else "it"
            findings.add(place, attribute, f"must not be given for a {name}")
            continue
        problem = problems[number]
        if problem is not None:
            path = f"{attribute}.{problem[0]}" if attribute else problem[0]
            findings.add(place, path, problem[1])
            continue
        values[index] = each.sum + 0.0
    return None if findings else collect(rows)


def problems_of(given: Sequence[GivenDistribution]) -> Sequence[tuple[str, str] | None]:
    """Return the first field of each distribution that breaks a rule, and what it must be.

    It is None where all is well.
    """
    problems = [_problem_of_numbers(each) or _problem_of_buckets(each) for each in given]
    unclear = [row for row, problem in enumerate(problems) if problem is None]
    if len(unclear) < _VERY_MANY:
        unclear = [row for row in unclear if not surely_fits(given[row])]
    if len(unclear) >= _MANY:
        fit = fit_buckets([given[row] for row in unclear])
        unclear = [row for row, fits in zip(unclear, fit, strict=True) if not fits]
    for row in unclear:
        problems[row] = _contradiction(given[row])
    return problems


def problem_of(given: GivenDistribution) -> tuple[str, str] | None:
    """Return the problem of one distribution, as `problems_of` does."""
    return problems_of([given])[0]


def _problem_of_numbers(given: GivenDistribution) -> tuple[str, str] | None:
    if not 1 <= given.count <= MAX_COUNT:
        return "count", "must be from 1 to 2^53"
    for field in ("sum", "min", "max"):
        number = getattr(given, field)
        if number is not None and not abs(number) <= MAX_BOUND:
            return field, "must be a finite number from -1e15 to 1e15"
    if given.min is not None and given.max is not None and given.min > given.max:
        return "max", "must not be less than min"
    return None


def _problem_of_buckets(given: GivenDistribution) -> tuple[str, str] | None:
    if given.scale is None:
        problems = _problems_of_explicit(given)
        in_buckets = sum(given.counts) if given.counts else given.count
    else:
        problems = _problems_of_exponential(given, given.scale)
        in_buckets = given.zero_count + sum(given.positive.counts) + sum(given.negative.counts)
    for problem in problems:
        return problem
    if in_buckets != given.count:
        return "count", "must be the sum of the buckets' counts"
    return None


def _problems_of_explicit(given: GivenDistribution) -> Iterator[tuple[str, str]]:
    if given.zero_count or given.positive.counts or given.negative.counts:
        yield "scale", "must be given with exponential buckets"
    yield from _problems_of_counts("bucket_counts", given.counts)
    yield from _problems_of_bounds(given.bounds)
    if len(given.counts) != len(given.bounds) + 1 and (given.bounds or given.counts):
        yield "bucket_counts", "must be one more than bounds"
    for field in ("min", "max"):
        if not given.bounds and getattr(given, field) is None:
            yield field, "must be given where there are no bounds"


# Those of a metric are nearly always the same.
@lru_cache(maxsize=1_000)
def _problems_of_bounds(bounds: tuple[float, ...]) -> Sequence[tuple[str, str]]:
    if any(not abs(bound) <= MAX_BOUND for bound in bounds):
        return [("bounds", "must be finite numbers from -1e15 to 1e15")]
    if any(low >= high for low, high in itertools.pairwise(bounds)):
        return [("bounds", "must ascend")]
    return []


def _problems_of_exponential(given: GivenDistribution, scale: int) -> Iterator[tuple[str, str]]:
    if not MIN_SCALE <= scale <= MAX_SCALE:
        yield "scale", f"must be from {MIN_SCALE} to {MAX_SCALE}"
    if given.bounds or given.counts:
        yield "bounds", "must not be given with scale"
    for field in ("positive", "negative"):
        buckets: ExponentialBuckets = getattr(given, field)
        yield from _problems_of_counts(f"{field}.bucket_counts", buckets.counts)
        last = buckets.offset + len(buckets.counts) - 1
        # Empty buckets may lie beyond what is allowed.
        if last * 2.0**-scale > _MAX_EXPONENT and any(
            count and index * 2.0**-scale > _MAX_EXPONENT
            for index, count in enumerate(buckets.counts, buckets.offset)
        ):
            yield f"{field}.offset", "must be that of values up to 1e15"
    if given.zero_count < 0:
        yield "zero_count", "must not be negative"


def _problems_of_counts(field: str, counts: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    if len(counts) > MAX_BUCKETS:
        yield field, f"must be at most {MAX_BUCKETS:,}"
    if min(counts, default=0) < 0:
        yield field, "must not be negative"


def _contradiction(given: GivenDistribution) -> tuple[str, str] | None:
    buckets = buckets_of(given)
    (first_lower, first_upper, _), (last_lower, last_upper, _) = buckets[0], buckets[-1]
    slack = _slack(first_lower, first_upper, last_lower, last_upper)
    for field, lower, upper in (("min", first_lower, first_upper), ("max", last_lower, last_upper)):
        number = getattr(given, field)
        if number is not None and not lower - slack <= number <= upper + slack:
            return field, "must be within the outermost bucket that has a value"
    if len(buckets) > _MANY_BUCKETS:
        least, most, slack = _sums_of_many(given, buckets)
    else:
        least = sum(count * max(lower, or_else(given.min, lower)) for lower, _, count in buckets)
        most = sum(count * min(upper, or_else(given.max, upper)) for _, upper, count in buckets)
        slack = _slack(
            *(count * bound for *bounds, count in buckets for bound in bounds), given.sum
        )
    if not least - slack <= given.sum <= most + slack:
        return "sum", "must be one that values in these buckets can have"
    return None


def _sums_of_many(
    given: GivenDistribution, buckets: Sequence[Bucket]
) -> tuple[float, float, float]:
    """Return the least and the greatest sum, and by how much they may be off."""
    lower, upper, counts = np.array(buckets, np.float64).T
    least = (counts * np.maximum(lower, or_else(given.min, -math.inf))).sum()
    most = (counts * np.minimum(upper, or_else(given.max, math.inf))).sum()
    greatest = (counts * np.abs((lower, upper))).T
    finite = greatest[np.isfinite(greatest)]
    return float(least), float(most), _slack(float(finite.max(initial=0.0)), given.sum)


def _slack(*numbers: float) -> float:
    finite = (abs(number) for number in numbers if math.isfinite(number))
    return TOLERANCE * max(finite, default=0.0)
