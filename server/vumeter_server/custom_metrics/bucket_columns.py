"""The buckets of many given distributions as columns, made without looking at each bucket."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import (
    FINEST_SCALE,
    Distributions,
    Floats,
    Integers,
)
from vumeter_server.custom_metrics.given_distributions import (
    GivenDistribution,
    bound_of,
    few_values,
    or_else,
)

# The bounds of indexes that are less are 0, at every scale; those of greater ones have no value.
_FAR: Final = 2**40
# Bounds of indexes that are further apart are computed only for those that there are.
_WIDE: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BucketColumns:
    """The buckets that have a value: those of each distribution one after another, ascending.

    Attributes:
        rows: int64[buckets], the index of the distribution, ascending.
        lower, upper: float64[buckets], the bounds.
        counts: int64[buckets], how many values.
    """

    rows: Integers
    lower: Floats
    upper: Floats
    counts: Integers

    def at(self, chosen: Integers | npt.NDArray[np.bool_]) -> BucketColumns:
        """Return some of the buckets."""
        return BucketColumns(
            rows=self.rows[chosen],
            lower=self.lower[chosen],
            upper=self.upper[chosen],
            counts=self.counts[chosen],
        )


def bucket_columns(given: Sequence[GivenDistribution]) -> BucketColumns:
    """Return what `buckets_of` returns of each of one or more distributions."""
    explicit = [row for row, each in enumerate(given) if each.scale is None]
    exponential = [row for row, each in enumerate(given) if each.scale is not None]
    parts = [_explicit(given, explicit)] if explicit else []
    return _one_after_another(parts + (_exponential(given, exponential) if exponential else []))


def _one_after_another(parts: Sequence[BucketColumns]) -> BucketColumns:
    """Join buckets; of one distribution those of earlier parts come first."""
    if len(parts) == 1:
        return parts[0]
    joined = BucketColumns(
        rows=np.concatenate([part.rows for part in parts]),
        lower=np.concatenate([part.lower for part in parts]),
        upper=np.concatenate([part.upper for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
    )
    if (joined.rows[1:] >= joined.rows[:-1]).all():
        return joined
    return joined.at(np.argsort(joined.rows, kind="stable"))


def _explicit(given: Sequence[GivenDistribution], rows: Sequence[int]) -> BucketColumns:
    chosen = [given[row] for row in rows]
    edges = [_edges(each.bounds) if each.bounds else _whole(each) for each in chosen]
    columns = BucketColumns(
        rows=np.repeat(rows, [len(lower) for lower, _ in edges]),
        lower=np.concatenate([lower for lower, _ in edges]),
        upper=np.concatenate([upper for _, upper in edges]),
        counts=_flat([each.counts if each.bounds else (each.count,) for each in chosen]),
    )
    return columns.at(columns.counts != 0)


# Those of a metric are nearly always the same.
@lru_cache(maxsize=1_000)
def _edges(bounds: tuple[float, ...]) -> tuple[Floats, Floats]:
    edges = np.array((-math.inf, *bounds, math.inf))
    lower, upper = edges[:-1], edges[1:]
    # Where no other value is in between, the bucket is of one value.
    return np.where(lower == np.nextafter(upper, -math.inf), upper, lower), upper


def _whole(given: GivenDistribution) -> tuple[Floats, Floats]:
    lower, upper = or_else(given.min, -math.inf), or_else(given.max, math.inf)
    return np.array([lower]), np.array([upper])


def _flat(counts: Sequence[tuple[int, ...]]) -> Integers:
    return np.fromiter(itertools.chain.from_iterable(counts), np.int64, sum(map(len, counts)))


def _exponential(given: Sequence[GivenDistribution], rows: Sequence[int]) -> list[BucketColumns]:
    numbers = np.array(rows, np.int64)
    scales = np.array([given[row].scale for row in rows], np.int64)
    zeros = np.array([given[row].zero_count for row in rows], np.int64)
    has_zeros = zeros != 0
    none = np.zeros(np.count_nonzero(has_zeros))
    # The greater the index of a negative bucket, the less its values.
    negative = _side(given, numbers, scales, "negative")
    return [
        negative.at(np.arange(len(negative.rows))[::-1]),
        BucketColumns(rows=numbers[has_zeros], lower=none, upper=none, counts=zeros[has_zeros]),
        _side(given, numbers, scales, "positive"),
    ]


def _side(
    given: Sequence[GivenDistribution], rows: Integers, scales: Integers, name: str
) -> BucketColumns:
    """Return the buckets of positive values, or of negative ones in the order of their indexes."""
    sides = [getattr(given[row], name) for row in rows.tolist()]
    lengths = np.array([len(side.counts) for side in sides], np.int64)
    offsets = np.array([side.offset for side in sides], object).clip(-_FAR, _FAR).astype(np.int64)
    counts = _flat([side.counts for side in sides])
    starts = np.cumsum(lengths) - lengths
    indexes = np.arange(len(counts)) + np.repeat(offsets - starts, lengths)
    rows, scales = np.repeat(rows, lengths), np.repeat(scales, lengths)
    used = counts != 0
    rows, scales, indexes, counts = rows[used], scales[used], indexes[used], counts[used]
    coarse = np.minimum(scales, FINEST_SCALE)
    indexes >>= scales - coarse
    # Neighbors that became one.
    first = np.ones(len(rows), np.bool_)
    first[1:] = (rows[1:] != rows[:-1]) | (indexes[1:] != indexes[:-1])
    if not first.all():
        counts = np.add.reduceat(counts, np.flatnonzero(first))
        rows, coarse, indexes = rows[first], coarse[first], indexes[first]
    near, far = np.empty(len(rows)), np.empty(len(rows))
    for scale in np.unique(coarse).tolist():
        at = coarse == scale
        near[at], far[at] = _bounds(scale, indexes[at]), _bounds(scale, indexes[at] + 1)
    if name == "negative":
        near, far = -far, -near
    return BucketColumns(rows=rows, lower=near, upper=far, counts=counts)


def _bounds(scale: int, indexes: Integers) -> Floats:
    first, last = int(indexes.min()), int(indexes.max())
    used: Iterable[int] = range(first, last + 1)
    numbers = indexes - first
    if last - first > _WIDE:
        found, numbers = np.unique(indexes, return_inverse=True)
        used = found.tolist()
    bounds: Floats = np.array([bound_of(scale, index) for index in used])[numbers]
    return bounds


def collect(given: Iterable[tuple[int, GivenDistribution]]) -> Distributions | None:
    """Make columns of distributions, each with the index of its point; None of none.

    They have to keep the rules of `distribution_rules`.
    """
    positions, each = [], []
    for position, one in given:
        positions.append(position)
        each.append(one)
    if not positions:
        return None
    values = [few_values(one) for one in each]
    few = [(row, value) for row, own in enumerate(values) for value in own]
    others = np.array([row for row, own in enumerate(values) if not own], np.int64)
    parts = []
    if len(others):
        columns = bucket_columns([each[row] for row in others.tolist()])
        parts.append(replace(columns, rows=others[columns.rows]))
    if few:
        exact = np.array([value for _, value in few])
        rows = np.array([row for row, _ in few], np.int64)
        parts.append(
            BucketColumns(rows=rows, lower=exact, upper=exact, counts=np.ones(len(few), np.int64))
        )
    columns = _one_after_another(parts)
    lower, upper = columns.lower, columns.upper
    starts = np.searchsorted(columns.rows, np.arange(len(each) + 1))
    minima = [own[0] if own else one.min for own, one in zip(values, each, strict=True)]
    maxima = [own[-1] if own else one.max for own, one in zip(values, each, strict=True)]
    return Distributions(
        positions=np.array(positions, np.int64),
        counts=np.array([one.count for one in each], np.int64),
        minima=_or_outermost(minima, lower[starts[:-1]], upper[starts[:-1]]),
        maxima=_or_outermost(maxima, upper[starts[1:] - 1], lower[starts[1:] - 1]),
        starts=starts,
        lower=lower,
        upper=upper,
        weights=columns.counts,
    )


def _or_outermost(numbers: Sequence[float | None], outer: Floats, inner: Floats) -> Floats:
    """Return numbers; for None the outermost bound, or the other one of an open bucket."""
    given = np.array(numbers, np.float64)
    if None not in numbers:
        return given
    bounds = np.where(np.isfinite(outer), outer, inner)
    return np.where(np.isnan(given), bounds, given)
