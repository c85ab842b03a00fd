"""Names and labels, from the catalog."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog
from vumeter_server.custom_metrics.clickhouse.changes import Label
from vumeter_server.custom_metrics.labels import SYSTEM_LABELS
from vumeter_server.custom_metrics.limits import OTHER
from vumeter_server.custom_metrics.questions import MetricInfo, TagValues, TagValuesQuery
from vumeter_server.custom_metrics.usage_store import StoredLabel


def answer_names(catalog: MetricCatalog, agent_id: str | None) -> list[str]:
    """Return the names of metrics, sorted."""
    return sorted(catalog.names(agent_id))


def answer_metrics(catalog: MetricCatalog, *, are_used: bool) -> list[MetricInfo]:
    """Return metrics, sorted by name; those that `answer_names` lists, or all that have a type."""
    names = catalog.names() if are_used else catalog.metrics.keys()
    return [
        MetricInfo(name=name, type=known.type, unit=known.unit, description=known.description)
        for name, known in sorted(catalog.metrics.items())
        if name in names
    ]


def answer_tags(
    catalog: MetricCatalog, metric_name: str | None, agent_id: str | None, limit: int
) -> dict[str, TagValues]:
    """Return user labels, sorted by key, with their first values."""
    values: dict[str, list[str]] = {}
    for key, value in _user_labels(catalog.labels(metric_name, agent_id)):
        values.setdefault(key, []).append(value)
    return {
        key: TagValues(
            values=heapq.nsmallest(limit, values[key]), truncated=len(values[key]) > limit
        )
        for key in sorted(values)
    }


def answer_tag_values(catalog: MetricCatalog, query: TagValuesQuery) -> list[Label]:
    """Return user labels as pairs of key and value, in order, from behind `query.after`."""
    after = query.after or ("", "")
    labels = catalog.labels(query.metric_name, query.agent_id)
    return heapq.nsmallest(
        query.limit,
        (
            label
            for label in _user_labels(labels)
            if label > after and query.key in (None, label[0]) and label[1].startswith(query.prefix)
        ),
    )


def stored_labels(catalog: MetricCatalog) -> list[StoredLabel]:
    """Return the labels in use, the most values first."""
    label_sets = catalog.label_sets_by_key()
    with_other = {key for key, value in catalog.labels() if value == OTHER}
    keys = with_other | {key for key, values in catalog.values.items() if values}
    found = [
        StoredLabel(
            key=key,
            values=catalog.values[key],
            label_sets=label_sets[key],
            has_other=key in with_other,
        )
        for key in keys
    ]
    return sorted(found, key=lambda each: (-each.values, each.key))


def _user_labels(labels: Iterable[Label]) -> Iterator[Label]:
    return (label for label in labels if label[0] not in SYSTEM_LABELS)
