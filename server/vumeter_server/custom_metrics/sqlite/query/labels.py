"""Names and tags: which metrics and labels there are."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import MetricInfo, TagValues, TagValuesQuery
from vumeter_server.custom_metrics.sqlite.cache.label_index import UsedLabels
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import View
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import AGENT
from vumeter_server.custom_metrics.sqlite.query.plan import NamesQuery, Plan, TagsQuery
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

SYSTEM_LABELS = (AGENT, "environment_id")
LABELS_BETWEEN_CHECKS = 10_000


def answer_names(query: NamesQuery, _: Plan, view: View, cache: OrganizationCache) -> list[str]:
    """Return the names of metrics that are used, sorted; with an agent those it uses."""
    agent_code = None
    if query.agent_id is not None:
        agent_code = view.labels.codes.get((AGENT, query.agent_id))
        if agent_code is None:
            return []
    used = cache.used(view, None, agent_code).metrics
    names = view.metrics.names
    return sorted(names[code] for code in used if code in names)


def read_metric_infos(connection: sqlite3.Connection, organization_id: int) -> list[MetricInfo]:
    """Return the metrics that are not deleted, sorted by name."""
    rows = connection.execute(
        "SELECT name, type, unit, description FROM metrics"
        " WHERE organization_id = ? AND name IS NOT NULL ORDER BY name",
        (organization_id,),
    )
    return [
        MetricInfo(name=name, type=MetricType(of), unit=unit, description=description)
        for name, of, unit, description in rows
    ]


def answer_tags(
    query: TagsQuery, _: Plan, view: View, cache: OrganizationCache
) -> dict[str, TagValues]:
    """Return user labels in use, sorted by key, with their first values."""
    used = _used(view, cache, query.metric_name, query.agent_id)
    values = {} if used is None else used.values
    return {
        key: TagValues(values=values[key][: query.limit], truncated=len(values[key]) > query.limit)
        for key in sorted(values)
        if key not in SYSTEM_LABELS
    }


def answer_tag_values(
    query: TagValuesQuery, _: Plan, view: View, cache: OrganizationCache
) -> list[tuple[str, str]]:
    """Return user labels in use as pairs of key and value, in order, from behind `query.after`."""
    used = _used(view, cache, query.metric_name, query.agent_id)
    if used is None:
        return []
    return heapq.nsmallest(query.limit, _matching(view, used.labels, query))


def _matching(view: View, labels: list[int], query: TagValuesQuery) -> Iterator[tuple[str, str]]:
    after = query.after or ("", "")
    for number, code in enumerate(labels):
        if not number % LABELS_BETWEEN_CHECKS:
            check_cancelled()
        pair = view.labels.name(code)
        key, value = pair
        if (
            pair > after
            and query.key in (None, key)
            and value.startswith(query.prefix)
            and key not in SYSTEM_LABELS
        ):
            yield pair


def _used(
    view: View, cache: OrganizationCache, metric_name: str | None, agent_id: str | None
) -> UsedLabels | None:
    """Return the labels of a metric, an agent or both; None if one of them is not known."""
    metric_code = agent_code = None
    if metric_name is not None:
        metric_code = view.metrics.codes.get(metric_name)
        if metric_code is None:
            return None
    if agent_id is not None:
        agent_code = view.labels.codes.get((AGENT, agent_id))
        if agent_code is None:
            return None
    return cache.used(view, metric_code, agent_code)
