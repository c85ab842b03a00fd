"""Names and tags: which metrics and labels there are."""

from __future__ import annotations

from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import View
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import AGENT
from vumeter_server.custom_metrics.sqlite.query.plan import NamesQuery, Plan, TagsQuery
from vumeter_server.custom_metrics.store import TagValues

SYSTEM_LABELS = (AGENT, "environment_id")


def answer_names(query: NamesQuery, _: Plan, view: View, cache: OrganizationCache) -> list[str]:
    """Return the names of metrics, sorted; with an agent those with a point of that agent."""
    metrics = view.metrics
    if query.agent_id is None:
        return sorted(metrics.codes)
    agent_code = view.labels.codes.get((AGENT, query.agent_id))
    if agent_code is None:
        return []
    used = cache.used(view, None, agent_code).metrics
    return sorted(metrics.names[code] for code in used)


def answer_tags(
    query: TagsQuery, _: Plan, view: View, cache: OrganizationCache
) -> dict[str, TagValues]:
    """Return user labels in use, sorted by key, with their first values."""
    metric_code = agent_code = None
    if query.metric_name is not None:
        metric_code = view.metrics.codes.get(query.metric_name)
        if metric_code is None:
            return {}
    if query.agent_id is not None:
        agent_code = view.labels.codes.get((AGENT, query.agent_id))
        if agent_code is None:
            return {}
    values = cache.used(view, metric_code, agent_code).values
    return {
        key: TagValues(values=values[key][: query.limit], truncated=len(values[key]) > query.limit)
        for key in sorted(values)
        if key not in SYSTEM_LABELS
    }
