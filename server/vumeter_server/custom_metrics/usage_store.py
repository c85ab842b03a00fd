"""The contract of a store with whoever asks how much is stored, and what was rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.times.units import DAY_US, HOUR_US

REJECTIONS_SHOWN_US: Final = DAY_US


class RecordingRejectionReason(StrEnum):
    """Why a recording was rejected; the values are stored and shown to callers."""

    CLOCK = "clock"
    """A timestamp ahead of the server's clock."""
    TYPE = "type"
    """Another type than that of the metric."""
    LIMIT = "limit"
    """A limit of the organization."""
    MALFORMED = "malformed"
    """Whatever else breaks a rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredMetric:
    """A metric: how many points it has, in how many bytes, and how many values of labels they have.

    `size_bytes` is None where a store does not know it.
    """

    name: str
    type: MetricType
    points: int
    size_bytes: int | None
    label_values: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLabel:
    """A label: how many values it has, and how many label sets have it.

    The value `limits.OTHER` is not counted; `has_other` says whether some point has it.
    """

    key: str
    values: int
    label_sets: int
    has_other: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """How much is stored of an organization.

    Attributes:
        points: how many points, of all metrics.
        size_bytes: about how many bytes they take on disk, without what is computed in advance;
            None where a store does not know it.
        metrics: how many metrics `MetricStore.names` lists.
        labels: how many labels points have, agent and environment among them.
        label_sets: how many label sets were recorded, without those with a label that no longer is
            in use.
        by_metric: the metrics, the most points first, then by name.
        by_label: the labels, the most values first, then by key.
    """

    points: int
    size_bytes: int | None
    metrics: int
    labels: int
    label_sets: int
    by_metric: Sequence[StoredMetric]
    by_label: Sequence[StoredLabel]


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectionCount:
    """How many requests, and points in them, were rejected for a reason, and when the last was.

    Points are 0 of requests of which none could be read.
    """

    reason: RecordingRejectionReason
    key_id: str
    requests: int
    points: int
    last_us: int


class UsageStore(Protocol):
    """Says how much is stored, and keeps what was rejected, of one organization at a time.

    What `store.MetricStore` promises of organizations, of the event loop and of errors holds here,
    too.
    """

    async def stored(self, organization_id: int, most: int) -> Stored:
        """Return how much is stored, with up to `most` metrics and labels.

        Labels are in use as `MetricStore.tags` says: from their first point until the points or
        metrics that had them are deleted.
        """

    async def save_rejections(
        self, rejections: Sequence[tuple[int, RejectionCount]], deletion_us: int | None
    ) -> None:
        """Add rejections, each with its organization; all of them, or if it raises none.

        They count to the hour of their `last_us`. Those of hours that ended REJECTIONS_SHOWN_US
        before `deletion_us`, the time by which old data may be deleted, are forgotten; none are
        where that is None.
        """

    async def rejections(
        self, organization_id: int, now_us: int, most: int
    ) -> Sequence[RejectionCount]:
        """Return the rejections of this hour and of the 23 before, by reason and key.

        The most requests come first, then by reason and key; up to `most`.
        """


def first_hour(now_us: int) -> int:
    """Return the first hour since the epoch whose rejections are shown."""
    return (now_us - REJECTIONS_SHOWN_US) // HOUR_US + 1
