"""Names and tags: which metrics and labels there are."""

from __future__ import annotations

from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import AGENT
from vumeter_server.custom_metrics.store import TagValues

SYSTEM_LABELS = (AGENT, "environment_id")


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
    metric_code = agent_code = None
    if metric_name is not None:
        metric_code = snapshot.metrics.codes.get(metric_name)
        if metric_code is None:
            return {}
    if agent_id is not None:
        agent_code = snapshot.labels.codes.get((AGENT, agent_id))
        if agent_code is None:
            return {}
    values = snapshot.used(metric_code, agent_code).values
    return {
        key: TagValues(values=values[key][:limit], truncated=len(values[key]) > limit)
        for key in sorted(values)
        if key not in SYSTEM_LABELS
    }
