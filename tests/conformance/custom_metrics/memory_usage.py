"""What the oracle says of how much is stored, and of what was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.conformance.custom_metrics.memory_data import Data, Organization

from vumeter_server.custom_metrics.limits import OTHER
from vumeter_server.custom_metrics.usage_store import (
    RecordingRejectionReason,
    RejectionCount,
    Stored,
    StoredLabel,
    StoredMetric,
    first_hour,
)
from vumeter_server.errors import Unavailable
from vumeter_server.times.units import HOUR_US

Label = tuple[str, str]


def labels_in_use(organization: Organization) -> set[Label]:
    """Return the labels that points had, without those that deletion left without points."""
    labels = {label for _, _, label in organization.uses if label is not None}
    return {label for label in labels if label[0] != "session_id"}


def label_sets_in_use(organization: Organization) -> set[tuple[Label, ...]]:
    """Return the label sets that have nothing but labels in use."""
    labels = labels_in_use(organization)
    return {each for each in organization.label_sets if labels.issuperset(each)}


class MemoryUsageStore:
    """Implements UsageStore on the oracle's data."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def stored(self, organization_id: int, most: int) -> Stored:
        organization = self._data.organizations[organization_id]
        points = Counter(point.name for point in organization.points)
        names = {name for name, _, _ in organization.uses}
        by_metric = [
            StoredMetric(
                name=name,
                type=organization.types[name],
                points=points[name],
                size_bytes=None,
                label_values=len(
                    {
                        label
                        for of, _, label in organization.uses
                        if of == name and label is not None and label[0] != "session_id"
                    }
                ),
            )
            for name in names
        ]
        values: dict[str, set[str]] = {}
        for key, value in labels_in_use(organization):
            values.setdefault(key, set()).add(value)
        label_sets = label_sets_in_use(organization)
        by_label = [
            StoredLabel(
                key=key,
                values=len(found - {OTHER}),
                label_sets=sum(key in dict(each) for each in label_sets),
                has_other=OTHER in found,
            )
            for key, found in values.items()
        ]
        return Stored(
            points=len(organization.points),
            size_bytes=None,
            metrics=len(names),
            labels=len(values),
            label_sets=len(label_sets),
            by_metric=sorted(by_metric, key=lambda each: (-each.points, each.name))[:most],
            by_label=sorted(by_label, key=lambda each: (-each.values, each.key))[:most],
        )

    async def save_rejections(
        self, rejections: Sequence[tuple[int, RejectionCount]], deletion_us: int | None
    ) -> None:
        if self._data.is_unavailable:
            raise Unavailable
        self._data.rejections.extend(rejections)

    async def rejections(
        self, organization_id: int, now_us: int, most: int
    ) -> Sequence[RejectionCount]:
        found: dict[tuple[RecordingRejectionReason, str], list[RejectionCount]] = {}
        for of, each in self._data.rejections:
            if of == organization_id and each.last_us // HOUR_US >= first_hour(now_us):
                found.setdefault((each.reason, each.key_id), []).append(each)
        counts = [
            RejectionCount(
                reason=reason,
                key_id=key_id,
                requests=sum(each.requests for each in counted),
                points=sum(each.points for each in counted),
                last_us=max(each.last_us for each in counted),
            )
            for (reason, key_id), counted in found.items()
        ]
        return sorted(counts, key=lambda each: (-each.requests, each.reason, each.key_id))[:most]
