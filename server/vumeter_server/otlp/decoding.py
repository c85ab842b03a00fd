"""Makes points of the messages of a request; what breaks a rule is rejected by itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vumeter_server.custom_metrics.distribution_rules import MAX_SCALE, problem_of
from vumeter_server.custom_metrics.exported import (
    SERIES_BYTES,
    ExportedBatch,
    ExportedMetric,
    Reason,
    RejectedPoint,
    Temporality,
)
from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
    at_scale,
)
from vumeter_server.custom_metrics.labels import MAX_METRIC_NAME, is_metric_name
from vumeter_server.custom_metrics.model import LabelSet, MetricType
from vumeter_server.otlp.mapping import AttributeMapping
from vumeter_server.otlp.series import Exporter, KnownExporters

NO_RECORDED_VALUE: Final = 1
"""The flag of a point that says only that there is none."""
_DELTA: Final = 1
_CUMULATIVE: Final = 2
_NOT_OF_NAMES: Final = re.compile(r"[-/]")
_MOST_NANOSECONDS: Final = 2**63 - 1


class _Rejected(Exception):
    """A point breaks a rule."""

    def __init__(self, reason: Reason, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason
        self.problem = problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Notes:
    """How often the mapping had to leave something out."""

    cut_values: int = 0
    dropped_labels: int = 0


@dataclass(kw_only=True, slots=True)
class _Collector:
    mapping: AttributeMapping
    exporters: KnownExporters
    batch: ExportedBatch = field(default_factory=ExportedBatch)
    label_sets: dict[LabelSet, int] = field(default_factory=dict)
    sessions: dict[tuple[bytes, ...], str] = field(default_factory=dict)
    cut_values: int = 0
    dropped_labels: int = 0


def decode(
    request: Any, mapping: AttributeMapping, exporters: KnownExporters
) -> tuple[ExportedBatch, Notes]:
    """Return the points of a request whose messages are those of `wire`."""
    collector = _Collector(mapping=mapping, exporters=exporters)
    for of_resource in request.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            exporter = exporters.exporter(mapping, of_resource.resource, of_scope.scope)
            for metric in of_scope.metrics:
                _metric(collector, exporter, metric)
    collector.batch.label_sets = list(collector.label_sets)
    notes = Notes(cut_values=collector.cut_values, dropped_labels=collector.dropped_labels)
    return collector.batch, notes


def count_points(request: Any) -> int:
    """Return how many points a request holds."""
    return sum(
        len(getattr(metric, kind).data_points)
        for of_resource in request.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
        if (kind := metric.WhichOneof("data")) is not None
    )


def metric_name(name: str) -> str:
    """Return the name of the metric that an instrument becomes: `-` and `/` become `_`."""
    return _NOT_OF_NAMES.sub("_", name)


def _metric(collector: _Collector, exporter: Exporter, metric: Any) -> None:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    name = metric_name(metric.name)
    try:
        _check_name(name)
        metric_type, temporality = _meaning(kind, data)
    except _Rejected as rejected:
        _reject(collector, name, rejected, (point for point in data.data_points if _counts(point)))
        return
    collector.batch.metrics.append(
        ExportedMetric(
            name=name, type=metric_type, unit=metric.unit, description=metric.description
        )
    )
    read = _READERS[kind]
    for point in data.data_points:
        if not _counts(point):
            continue
        try:
            _point(collector, exporter, point, temporality, *read(point))
        except _Rejected as rejected:
            _reject(collector, name, rejected, (point,))


def _check_name(name: str) -> None:
    if not is_metric_name(name):
        problem = f"must match [a-zA-Z_][a-zA-Z0-9_.:]* in at most {MAX_METRIC_NAME} characters"
        raise _Rejected(Reason.NAME, f"{problem}: it is no name of a metric")


def _counts(point: Any) -> bool:
    return not point.flags & NO_RECORDED_VALUE


def _meaning(kind: str, data: Any) -> tuple[MetricType, Temporality]:
    """Return what the points of a metric are."""
    if kind == "gauge":
        return MetricType.GAUGE, Temporality.STATE
    if kind == "summary":
        raise _Rejected(Reason.UNSUPPORTED, "must not be a summary: use a histogram")
    if data.aggregation_temporality not in (_DELTA, _CUMULATIVE):
        raise _Rejected(Reason.UNSUPPORTED, "must have a temporality, delta or cumulative")
    is_delta = data.aggregation_temporality == _DELTA
    temporality = Temporality.DELTA if is_delta else Temporality.CUMULATIVE
    if kind != "sum":
        return MetricType.HISTOGRAM, temporality
    if data.is_monotonic:
        return MetricType.COUNTER, temporality
    return MetricType.GAUGE, Temporality.CHANGE if is_delta else Temporality.STATE


def _reject(collector: _Collector, name: str, rejected: _Rejected, points: Iterable[Any]) -> None:
    collector.batch.rejected += [
        RejectedPoint(
            metric_name=name[:MAX_METRIC_NAME], reason=rejected.reason, problem=rejected.problem
        )
        for _ in points
    ]


def _point(
    collector: _Collector,
    exporter: Exporter,
    point: Any,
    temporality: Temporality,
    value: float,
    histogram: GivenDistribution | None,
) -> None:
    if max(point.time_unix_nano, point.start_time_unix_nano) > _MOST_NANOSECONDS:
        raise _Rejected(Reason.TIME, "must be a time before 2262")
    attributes, of_sessions = exporter.split(point.attributes)
    known = exporter.known.get(attributes) or collector.exporters.labels(exporter, attributes)
    session = known.labels.session_id
    if of_sessions:
        key = tuple(of_sessions)
        if key not in collector.sessions:
            collector.sessions[key] = collector.exporters.session(of_sessions)
        session = collector.sessions[key] or session
    labels = known.labels
    if labels.cut_values or labels.dropped_labels:
        collector.cut_values += labels.cut_values
        collector.dropped_labels += labels.dropped_labels
    series = known.digest
    if of_sessions and temporality is not Temporality.DELTA:
        series = hashlib.blake2b(
            series + b"".join(sorted(of_sessions)), digest_size=SERIES_BYTES
        ).digest()
    batch, label_sets = collector.batch, collector.label_sets
    batch.metric_indexes.append(len(batch.metrics) - 1)
    batch.temporalities.append(temporality)
    batch.values.append(value)
    batch.histograms.append(histogram)
    batch.starts_ns.append(point.start_time_unix_nano)
    batch.times_ns.append(point.time_unix_nano)
    batch.label_set_indexes.append(label_sets.setdefault(labels.label_set, len(label_sets)))
    batch.session_ids.append(session)
    batch.streams.append(exporter.stream)
    batch.series.append(series)


def _number(point: Any) -> tuple[float, None]:
    kind = point.WhichOneof("value")
    if kind is None:
        raise _Rejected(Reason.VALUE, "must have a value")
    return (point.as_double if kind == "as_double" else float(point.as_int)), None


def _histogram(point: Any) -> tuple[float, GivenDistribution]:
    bounds, counts = tuple(point.explicit_bounds), tuple(point.bucket_counts)
    if not bounds:
        # One bucket of everything says no more than the count.
        counts = () if len(counts) <= 1 else counts
    return _checked(
        point,
        GivenDistribution(
            **_summary_of(point),
            bounds=bounds,
            counts=counts,
        ),
    )


def _exponential_histogram(point: Any) -> tuple[float, GivenDistribution]:
    positive, negative = (
        ExponentialBuckets(side.offset, tuple(side.bucket_counts))
        for side in (point.positive, point.negative)
    )
    given = GivenDistribution(
        **_summary_of(point),
        scale=point.scale,
        zero_count=point.zero_count,
        positive=positive,
        negative=negative,
    )
    return _checked(point, at_scale(given, MAX_SCALE))


def _summary_of(point: Any) -> dict[str, Any]:
    if point.count and not point.HasField("sum"):
        raise _Rejected(Reason.DISTRIBUTION, "must have a sum")
    return {
        "count": point.count,
        "sum": point.sum,
        "min": point.min if point.HasField("min") else None,
        "max": point.max if point.HasField("max") else None,
    }


def _checked(point: Any, given: GivenDistribution) -> tuple[float, GivenDistribution]:
    problem = problem_of(given) if point.count else None
    if problem is not None:
        field, text = problem
        raise _Rejected(Reason.DISTRIBUTION, f"{field} {text}")
    return point.sum, given


_READERS: Final[Mapping[str, Callable[[Any], tuple[float, GivenDistribution | None]]]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
}
