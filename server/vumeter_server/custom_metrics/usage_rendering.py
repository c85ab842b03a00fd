"""The JSON of usage."""

from __future__ import annotations

from typing import Any

import orjson

from vumeter_server.access.store import KeyInfo
from vumeter_server.custom_metrics.usage import UsageReport
from vumeter_server.runtime.limits import Limits
from vumeter_server.times.rfc3339 import format_rfc3339


def render_usage(report: UsageReport) -> bytes:
    """Write `{"data": {...}}`; null is a rate without a limit, a size or time that is not known."""
    stored = report.stored
    data = {
        "points": stored.points,
        "bytes": stored.size_bytes,
        "metrics": stored.metrics,
        "labels": stored.labels,
        "labelSets": stored.label_sets,
        "limits": _limits(report.limits),
        "byMetric": [
            {
                "metric": each.name,
                "type": each.type.name.lower(),
                "points": each.points,
                "bytes": each.size_bytes,
                "labelValues": each.label_values,
            }
            for each in stored.by_metric
        ],
        "byLabel": [
            {
                "label": each.key,
                "values": each.values,
                "labelSets": each.label_sets,
                "hasOther": each.has_other,
            }
            for each in stored.by_label
        ],
        "rejected": [
            {
                "reason": each.reason.value,
                "keyId": each.key_id,
                "keyLabel": report.labels.get(each.key_id),
                "requests": each.requests,
                "points": each.points,
                "lastTime": _time(each.last_us),
            }
            for each in report.rejections
        ],
        "keys": [_key(each, report.now_us) for each in report.keys],
    }
    return orjson.dumps({"data": data})


def _limits(limits: Limits) -> dict[str, int | None]:
    return {
        "requestsPerSecond": limits.requests_per_second or None,
        "pointsPerSecond": limits.points_per_second or None,
        "metrics": limits.metrics,
        "labelSets": limits.label_sets,
        "labelValues": limits.label_values,
    }


def _key(key: KeyInfo, now_us: int) -> dict[str, Any]:
    return {
        "keyId": key.key_id,
        "label": key.label,
        "role": key.role.value,
        "state": key.state_at(now_us).value,
        "createTime": _time(key.created_us),
        "expireTime": _time(key.expires_us),
        "lastUseTime": _time(key.last_used_us),
    }


def _time(instant_us: int | None) -> str | None:
    return None if instant_us is None else format_rfc3339(instant_us)
