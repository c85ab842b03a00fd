"""Names and tags: which metrics and labels there are, from the table of uses."""

from __future__ import annotations

import numpy as np

from vumeter_server.custom_metrics.sqlite.dictionaries import AGENT
from vumeter_server.custom_metrics.sqlite.snapshots import Codes, Snapshot
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
    used, _ = snapshot.labels.used(None, agent_code)
    names = (metrics.names.get(code) for code in np.unique(used).tolist())
    return sorted(name for name in names if name is not None)


def query_tags(
    snapshot: Snapshot, metric_name: str | None, agent_id: str | None, limit: int
) -> dict[str, TagValues]:
    """Return user labels in use, sorted by key, with their first `limit` values."""
    labels = snapshot.labels
    metric_code = agent_code = None
    if metric_name is not None:
        metric_code = snapshot.metrics.codes.get(metric_name)
        if metric_code is None:
            return {}
    if agent_id is not None:
        agent_code = labels.codes.get((AGENT, agent_id))
        if agent_code is None:
            return {}
    metric_codes, label_codes = labels.used(metric_code, agent_code)
    known = np.zeros(snapshot.state.metrics + 1, np.bool_)
    known[list(snapshot.metrics.names)] = True
    label_codes = np.unique(label_codes[known[metric_codes] & (label_codes >= 0)])
    key_codes = labels.key_codes_of(label_codes)
    return {
        key: _values(snapshot, label_codes[key_codes == key_code], limit)
        for key, key_code in sorted(labels.keys.items())
        if key not in SYSTEM_LABELS and (key_codes == key_code).any()
    }


def _values(snapshot: Snapshot, label_codes: Codes, limit: int) -> TagValues:
    texts = sorted(snapshot.labels.texts[code] for code in label_codes.tolist())
    return TagValues(values=texts[:limit], truncated=len(texts) > limit)
