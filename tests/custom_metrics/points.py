"""Points as tests write them down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.label_sets import KnownLabelSets
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.validation import (
    TYPE_CODES,
    UNKNOWN_TYPE,
    UncheckedPoints,
    validate,
)

NOW_US = 1_743_465_600_000_000  # 2025-04-01T00:00:00Z


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A point as an API brings it; a timestamp is RFC 3339 text or microseconds."""

    name: str = "booking_attempt"
    type: str | None = None
    value: float | None = None
    timestamp: str | int | None = None
    agent_id: str | None = None
    environment_id: str | None = None
    session_id: str | None = None
    tags: dict[str, str] | None = None
    distribution: GivenDistribution | None = None


def columns_of(points: Sequence[Point]) -> UncheckedPoints:
    """Lay points out as an API does."""
    return UncheckedPoints(
        names=[point.name for point in points],
        types=[
            0 if point.type is None else TYPE_CODES.get(point.type, UNKNOWN_TYPE)
            for point in points
        ],
        values=[point.value for point in points],
        timestamps=[point.timestamp for point in points],
        session_ids=[point.session_id or "" for point in points],
        label_keys=[
            (point.agent_id or "", point.environment_id or "", *(point.tags or {}).items())
            for point in points
        ],
        label_sets=KnownLabelSets[Any](lambda key: key, lambda tag: tag),
        distributions={
            index: point.distribution
            for index, point in enumerate(points)
            if point.distribution is not None
        },
    )


def checked(*points: Point, now_us: int = NOW_US) -> Batch:
    """Return the batch that points are."""
    return validate(columns_of(points), now_us)


def opened(batch: Batch) -> dict[str, list[object]]:
    """Lay a batch out point by point."""
    return {
        "names": [batch.names[index] for index in batch.name_indexes],
        "types": batch.types.tolist(),
        "values": [None if np.isnan(value) else value for value in batch.values.tolist()],
        "times_us": batch.times_us.tolist(),
        "label_sets": [batch.label_sets[index] for index in batch.label_set_indexes],
        "sessions": [
            None if index < 0 else batch.sessions[index] for index in batch.session_indexes
        ],
    }
