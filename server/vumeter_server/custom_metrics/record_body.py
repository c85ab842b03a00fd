"""The body of a recording over REST, as msgspec reads it."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from vumeter_server.custom_metrics.given_distributions import (
    NO_BUCKETS,
    ExponentialBuckets,
    GivenDistribution,
)
from vumeter_server.custom_metrics.label_sets import KnownLabelSets
from vumeter_server.custom_metrics.validation import TYPE_CODES, UNKNOWN_TYPE, UncheckedPoints

UNSET = msgspec.UNSET
T = TypeVar("T")


class BucketsBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Neighbouring exponential buckets."""

    offset: int | msgspec.UnsetType = UNSET
    bucket_counts: list[int] | msgspec.UnsetType = UNSET


class DistributionBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Many values of a histogram in one point."""

    count: int
    sum: float
    min: float | msgspec.UnsetType = UNSET
    max: float | msgspec.UnsetType = UNSET
    bounds: list[float] | msgspec.UnsetType = UNSET
    bucket_counts: list[int] | msgspec.UnsetType = UNSET
    scale: int | msgspec.UnsetType = UNSET
    zero_count: int | msgspec.UnsetType = UNSET
    positive: BucketsBody | msgspec.UnsetType = UNSET
    negative: BucketsBody | msgspec.UnsetType = UNSET


class PointBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A point of a recording's body."""

    name: str
    type: str | msgspec.UnsetType = UNSET
    value: float | msgspec.UnsetType = UNSET
    distribution: DistributionBody | msgspec.UnsetType = UNSET
    timestamp: str | msgspec.UnsetType = UNSET
    agent_id: str | msgspec.UnsetType = UNSET
    environment_id: str | msgspec.UnsetType = UNSET
    session_id: str | msgspec.UnsetType = UNSET
    tags: dict[str, str] | msgspec.UnsetType = UNSET


class RecordBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of a recording."""

    points: list[PointBody]
    idempotency_key: str | msgspec.UnsetType = UNSET
    dry_run: bool | msgspec.UnsetType = UNSET


def points_of(points: list[PointBody]) -> UncheckedPoints:
    """Return the points of a body as columns."""
    return UncheckedPoints(
        names=[point.name for point in points],
        types=[_type(point.type) for point in points],
        values=[_given(point.value) for point in points],
        timestamps=[_given(point.timestamp) for point in points],
        session_ids=[point.session_id or "" for point in points],
        label_keys=[
            (point.agent_id or "", point.environment_id or "", *(point.tags or {}).items())
            for point in points
        ],
        label_sets=_LABEL_SETS,
        distributions={
            index: _distribution(point.distribution)
            for index, point in enumerate(points)
            if not isinstance(point.distribution, msgspec.UnsetType)
        },
    )


def _distribution(body: DistributionBody) -> GivenDistribution:
    return GivenDistribution(
        count=body.count,
        sum=body.sum,
        min=_given(body.min),
        max=_given(body.max),
        bounds=tuple(body.bounds or ()),
        counts=tuple(body.bucket_counts or ()),
        scale=_given(body.scale),
        zero_count=body.zero_count or 0,
        positive=_buckets(body.positive),
        negative=_buckets(body.negative),
    )


def _buckets(body: BucketsBody | msgspec.UnsetType) -> ExponentialBuckets:
    if isinstance(body, msgspec.UnsetType):
        return NO_BUCKETS
    return ExponentialBuckets(body.offset or 0, tuple(body.bucket_counts or ()))


def _type(text: str | msgspec.UnsetType) -> int:
    return 0 if isinstance(text, msgspec.UnsetType) else TYPE_CODES.get(text, UNKNOWN_TYPE)


_LABEL_SETS: KnownLabelSets[tuple[Any, ...]] = KnownLabelSets(lambda key: key, lambda tag: tag)


def _given(value: T | msgspec.UnsetType) -> T | None:
    return None if isinstance(value, msgspec.UnsetType) else value
