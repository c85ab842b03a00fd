"""Names and tags: which metrics and labels there are."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from vumeter_server.custom_metrics.sqlite.cache.label_index import View
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import AGENT
from vumeter_server.custom_metrics.store import TagValues, TagValuesQuery
from vumeter_server.sqlite import check_cancelled

SYSTEM_LABELS = (AGENT, "environment_id")
LABELS_BETWEEN_CHECKS = 10_000


def query_names(snapshot: Snapshot, agent_id: str | None) -> list[str]:
    """Return the names of metrics, sorted; with `agent_id` those with a point of that agent."""
    metrics = snapshot.metrics
    if agent_id is None:
        return sorted(metrics.codes)
    agent_code = snapshot.labels.codes.get((AGENT, agent_id))
    if agent_code is None:
        return []
    used = snapshot.used(None, agent_code).metrics
    return sorted(metrics.names[code] for code in used)


def query_tags(
    snapshot: Snapshot, metric_name: str | None, agent_id: str | None, limit: int
) -> dict[str, TagValues]:
    """Return user labels in use, sorted by key, with their first `limit` values."""
    view = _view(snapshot, metric_name, agent_id)
    if view is None:
        return {}
    values = view.values
    return {
        key: TagValues(values=values[key][:limit], truncated=len(values[key]) > limit)
        for key in sorted(values)
        if key not in SYSTEM_LABELS
    }


def query_tag_values(snapshot: Snapshot, query: TagValuesQuery) -> list[tuple[str, str]]:
    """Return user labels in use as pairs of key and value, in order, from behind `query.after`."""
    view = _view(snapshot, query.metric_name, query.agent_id)
    if view is None:
        return []
    return heapq.nsmallest(query.limit, _matching(snapshot, view.labels, query))


def _matching(
    snapshot: Snapshot, labels: list[int], query: TagValuesQuery
) -> Iterator[tuple[str, str]]:
    after = query.after or ("", "")
    for number, code in enumerate(labels):
        if not number % LABELS_BETWEEN_CHECKS:
            check_cancelled()
        pair = snapshot.labels.name(code)
        key, value = pair
        if (
            pair > after
            and query.key in (None, key)
            and value.startswith(query.prefix)
            and key not in SYSTEM_LABELS
        ):
            yield pair


def _view(snapshot: Snapshot, metric_name: str | None, agent_id: str | None) -> View | None:
    """Return the labels of a metric, an agent or both; None if one of them is not known."""
    metric_code = agent_code = None
    if metric_name is not None:
        metric_code = snapshot.metrics.codes.get(metric_name)
        if metric_code is None:
            return None
    if agent_id is not None:
        agent_code = snapshot.labels.codes.get((AGENT, agent_id))
        if agent_code is None:
            return None
    return snapshot.used(metric_code, agent_code)
