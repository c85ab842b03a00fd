"""The columns of files of points, and the words in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb

COLUMNS: Final = (
    *("timestamp", "name", "type", "value", "agent_id", "environment_id", "session_id"),
    *("tags", "distribution"),
)
TYPES: Final[Mapping[str, pb.MetricType]] = {
    "counter": pb.METRIC_TYPE_COUNTER,
    "gauge": pb.METRIC_TYPE_GAUGE,
    "histogram": pb.METRIC_TYPE_HISTOGRAM,
}
TYPE_NAMES: Final[Mapping[int, str]] = {number: name for name, number in TYPES.items()}
