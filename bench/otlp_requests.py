"""What exporters of OpenTelemetry send, encoded: sums, histograms, and a job of LiveKit."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as pb
from opentelemetry.proto.common.v1 import common_pb2

from bench import messages
from bench.dataset import METRIC_NAMES, Dataset
from bench.stack import ROOT

JOB = ROOT / "tests" / "otlp" / "payloads" / "livekit-metrics.bin"
SERIES = 1_000
SETS = 2_000
"""An SDK keeps no more sets of attributes of a metric."""
BUCKETS = 16
EXPONENTIAL_BUCKETS = 128


def _request() -> tuple[Any, dict[str, Any]]:
    """Return a request of an agent's process, and its metrics by name."""
    request = pb.ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.extend(
        _attributes(
            {
                "service.name": "reception",
                "service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
                "telemetry.sdk.version": "1.45.2",
            }
        )
    )
    of_scope = of_resource.scope_metrics.add()
    of_scope.scope.name = "agent"
    return request, {name: of_scope.metrics.add(name=name) for name in METRIC_NAMES}


def _attributes(given: dict[str, str]) -> list[common_pb2.KeyValue]:
    return [
        common_pb2.KeyValue(key=key, value=common_pb2.AnyValue(string_value=value))
        for key, value in given.items()
    ]


def _labels(dataset: Dataset, label_set: int) -> dict[str, str]:
    labels = dataset.label_sets[label_set % SETS]
    return {
        "agent.id": labels.agent_id,
        "deployment.environment.name": labels.environment_id,
        **labels.tags,
    }


def delta_sums(dataset: Dataset, part: slice) -> bytes:
    """Return a request of delta sums, of many sessions."""
    request, metrics = _request()
    for metric in metrics.values():
        metric.sum.aggregation_temporality = 1
        metric.sum.is_monotonic = True
    for metric, label_set, session, time_us, value in zip(
        dataset.metrics[part].tolist(),
        dataset.label_set_indexes[part].tolist(),
        dataset.sessions[part].tolist(),
        dataset.times_us[part].tolist(),
        dataset.values[part].tolist(),
        strict=True,
    ):
        session_id = dataset.session_ids[session]
        metrics[METRIC_NAMES[metric]].sum.data_points.add(
            attributes=_attributes({**_labels(dataset, label_set), "session.id": session_id}),
            start_time_unix_nano=(time_us - 1_000_000) * 1_000,
            time_unix_nano=time_us * 1_000,
            as_double=value,
        )
    data: bytes = request.SerializeToString()
    return data


def cumulative_sums(dataset: Dataset, exports: int) -> Iterator[bytes]:
    """Yield the exports of a process with so many series, each of which counts 1 at a time."""
    request, metrics = _request()
    start_ns = int(dataset.times_us[0]) * 1_000 - 1_000_000_000
    for metric in metrics.values():
        metric.sum.aggregation_temporality = 2
        metric.sum.is_monotonic = True
    points = [
        metrics[METRIC_NAMES[number % len(METRIC_NAMES)]].sum.data_points.add(
            attributes=_attributes({**_labels(dataset, number // len(METRIC_NAMES)), "n": "1"}),
            start_time_unix_nano=start_ns,
        )
        for number in range(SERIES)
    ]
    for export in range(1, exports + 1):
        for point in points:
            point.time_unix_nano = start_ns + export * 100_000_000
            point.as_int = export
        yield request.SerializeToString()


def histograms(dataset: Dataset, batches: int, *, fine: bool) -> Iterator[bytes]:
    """Yield requests of delta histograms whose sum is 1."""
    parts = messages.parts(dataset, batches)
    for part in parts:
        request, metrics = _request()
        for metric in metrics.values():
            kind = metric.exponential_histogram if fine else metric.histogram
            kind.aggregation_temporality = 1
        for metric, label_set, time_us in zip(
            dataset.metrics[part].tolist(),
            dataset.label_set_indexes[part].tolist(),
            dataset.times_us[part].tolist(),
            strict=True,
        ):
            of_metric = metrics[METRIC_NAMES[metric]]
            common = {
                "attributes": _attributes(_labels(dataset, label_set)),
                "start_time_unix_nano": (time_us - 1_000_000) * 1_000,
                "time_unix_nano": time_us * 1_000,
                "sum": 1.0,
            }
            if fine:
                # One value in each bucket: together about 1.
                of_metric.exponential_histogram.data_points.add(
                    **common,
                    count=EXPONENTIAL_BUCKETS,
                    scale=6,
                    positive={
                        "offset": -519,
                        "bucket_counts": [1] * EXPONENTIAL_BUCKETS,
                    },
                )
            else:
                of_metric.histogram.data_points.add(
                    **common,
                    count=BUCKETS,
                    bucket_counts=[1] * BUCKETS,
                    explicit_bounds=[number / 120 for number in range(1, BUCKETS)],
                )
        yield request.SerializeToString()


def jobs(count: int) -> Iterator[bytes]:
    """Yield the request of a real job again and again, of another room and now each time."""
    request = pb.ExportMetricsServiceRequest.FromString(gzip.decompress(JOB.read_bytes()))
    now_ns = time.time_ns()
    for number in range(count):
        for metric in request.resource_metrics[0].scope_metrics[0].metrics:
            data = getattr(metric, metric.WhichOneof("data") or "")
            for point in data.data_points:
                point.start_time_unix_nano = now_ns - 30_000_000_000
                point.time_unix_nano = now_ns
                for attribute in point.attributes:
                    if attribute.key == "room_id":
                        attribute.value.string_value = f"RM_{number:013}"
                    elif attribute.key == "job_id":
                        attribute.value.string_value = f"AJ_{number:013}"
        yield gzip.compress(request.SerializeToString(), mtime=0)
