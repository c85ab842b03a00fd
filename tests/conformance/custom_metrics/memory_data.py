"""What the oracle keeps: the points of each organization in lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, Final

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.model import Batch, MetricType
from vumeter_server.custom_metrics.usage_store import RejectionCount
from vumeter_server.errors import LimitExceeded

DAY_US = 86_400_000_000
FIRST_DAY: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Point:
    """A point as it is stored; `labels` holds system labels too, and none that is empty."""

    name: str
    value: Fraction
    time_us: int
    labels: dict[str, str]
    distribution: Distributions | None = None

    def label(self, key: str) -> str:
        return self.labels.get(key, "")


Use = tuple[str, str, tuple[str, str] | None]


def uses_of(points: Iterable[Point]) -> set[Use]:
    """Return metric and agent of points with each of their labels, and with none."""
    return {
        (point.name, point.label("agent_id"), label)
        for point in points
        for label in (*point.labels.items(), None)
    }


@dataclass
class Key:
    """An idempotency key that was used."""

    content_sha256: bytes
    recorded: int
    created_us: int


@dataclass
class Organization:
    """All that one organization recorded.

    `uses` are what names and tags are listed by: metric, agent and label of points, and None for
    each point's lack of one; those of points that retention dropped are among them. `recorded_on`
    is, for each day, the last day on which a point of it was recorded.
    """

    types: dict[str, MetricType] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    uses: set[Use] = field(default_factory=set)
    recorded_on: dict[int, int] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    label_sets: set[tuple[tuple[str, str], ...]] = field(default_factory=set)
    """Every label set that was ever recorded."""
    noted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What the server itself did: actions and details."""


@dataclass
class Data:
    """What would be on disk, and what this disk takes."""

    ids: dict[str, int] = field(default_factory=dict)
    organizations: dict[int, Organization] = field(default_factory=dict)
    rejections: list[tuple[int, RejectionCount]] = field(default_factory=list)
    is_unavailable: bool = False
    max_metrics: int | None = None
    max_tag_values: int | None = None

    def check_limits(self, organization: Organization, batch: Batch) -> None:
        """Raise if the organization would have more metrics or labels than are taken."""
        metrics = organization.types.keys() | set(batch.names)
        labels = {label for _, _, label in organization.uses if label is not None}
        labels = {label for label in labels if label[0] != "session_id"}
        labels |= {label for label_set in batch.label_sets for label in label_set}
        for found, limit in ((metrics, self.max_metrics), (labels, self.max_tag_values)):
            if limit is not None and len(found) > limit:
                raise LimitExceeded

    def add_organization(self, name: str) -> int:
        self.ids[name] = organization_id = len(self.ids) + 1
        self.organizations[organization_id] = Organization()
        return organization_id
