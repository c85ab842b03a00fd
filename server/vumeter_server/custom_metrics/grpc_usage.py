"""Usage as typed messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.access.store import KeyInfo, KeyState
from vumeter_server.api.times import timestamp
from vumeter_server.custom_metrics.usage import UsageReport
from vumeter_server.custom_metrics.usage_store import RecordingRejectionReason
from vumeter_server.runtime.limits import Limits

_REASONS: Final[Mapping[RecordingRejectionReason, pb.RecordingRejectionReason]] = {
    RecordingRejectionReason.CLOCK: pb.RECORDING_REJECTION_REASON_CLOCK,
    RecordingRejectionReason.TYPE: pb.RECORDING_REJECTION_REASON_TYPE,
    RecordingRejectionReason.LIMIT: pb.RECORDING_REJECTION_REASON_LIMIT,
    RecordingRejectionReason.MALFORMED: pb.RECORDING_REJECTION_REASON_MALFORMED,
}
_STATES: Final[Mapping[KeyState, pb.KeyState]] = {
    KeyState.GOOD: pb.KEY_STATE_GOOD,
    KeyState.EXPIRED: pb.KEY_STATE_EXPIRED,
    KeyState.REVOKED: pb.KEY_STATE_REVOKED,
}


def write_usage(report: UsageReport) -> pb.GetUsageResponse:
    """Write a report of usage."""
    stored = report.stored
    return pb.GetUsageResponse(
        points=stored.points,
        bytes=stored.size_bytes,
        metrics=stored.metrics,
        labels=stored.labels,
        label_sets=stored.label_sets,
        limits=_limits(report.limits),
        by_metric=[
            pb.MetricUsage(
                metric_name=each.name,
                type=pb.MetricType.Name(each.type),
                points=each.points,
                bytes=each.size_bytes,
                label_values=each.label_values,
            )
            for each in stored.by_metric
        ],
        by_label=[
            pb.LabelUsage(
                label=each.key,
                values=each.values,
                label_sets=each.label_sets,
                has_other=each.has_other,
            )
            for each in stored.by_label
        ],
        rejected=[
            pb.RejectionCount(
                reason=_REASONS[each.reason],
                key_id=each.key_id,
                key_label=report.labels.get(each.key_id, ""),
                requests=each.requests,
                points=each.points,
                last_time=timestamp(each.last_us),
            )
            for each in report.rejections
        ],
        keys=[_key(each, report.now_us) for each in report.keys],
    )


def _limits(limits: Limits) -> pb.Limits:
    return pb.Limits(
        requests_per_second=limits.requests_per_second or None,
        points_per_second=limits.points_per_second or None,
        metrics=limits.metrics,
        label_sets=limits.label_sets,
        label_values=limits.label_values,
    )


def _key(key: KeyInfo, now_us: int) -> pb.KeyUsage:
    return pb.KeyUsage(
        key_id=key.key_id,
        label=key.label or "",
        role=key.role.value,
        state=_STATES[key.state_at(now_us)],
        create_time=timestamp(key.created_us),
        expire_time=timestamp(key.expires_us),
        last_use_time=timestamp(key.last_used_us),
    )
