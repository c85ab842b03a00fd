"""Makes points of the messages of a request; what breaks a rule is rejected by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from vumeter_server.custom_metrics.exported import (
    ExportedBatch,
    ExportedMetric,
    Reason,
    RejectedPoint,
    Temporality,
)
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.labels import MAX_METRIC_NAME, is_metric_name
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.otlp import wire
from vumeter_server.otlp.histogram_points import READERS, Rejected, read_histograms
from vumeter_server.otlp.mapping import AttributeMapping
from vumeter_server.otlp.number_points import NotAttributes, NumberColumns, read_columns, read_each
from vumeter_server.otlp.series import (
    NO_RECORDED_VALUE,
    Exporter,
    KnownAttributes,
    KnownExporters,
    KnownPoint,
)

_DELTA: Final = 1
_CUMULATIVE: Final = 2
_NOT_OF_NAMES: Final = re.compile(r"[-/]")
_MOST_NANOSECONDS: Final = 2**63 - 1


_TOO_LATE: Final = "must be a time before 2262"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notes:
    """How often the mapping had to leave something out."""

    cut_values: int = 0
    dropped_labels: int = 0


@dataclass(kw_only=True, slots=True)
class _Collector:
    exporters: KnownExporters
    batch: ExportedBatch = field(default_factory=ExportedBatch)
    label_sets: dict[KnownAttributes, int] = field(default_factory=dict)

    def add(
        self,
        exporter: Exporter,
        temporality: Temporality,
        known: Sequence[KnownPoint],
        values: Sequence[float],
        starts_ns: Sequence[int],
        times_ns: Sequence[int],
        histograms: Sequence[GivenDistribution | None],
    ) -> None:
        """Add points of the last metric."""
        batch, label_sets, count = self.batch, self.label_sets, len(known)
        batch.metric_indexes += [len(batch.metrics) - 1] * count
        batch.temporalities += [temporality] * count
        batch.values += values
        batch.histograms += histograms
        batch.starts_ns += starts_ns
        batch.times_ns += times_ns
        batch.label_set_indexes += [
            label_sets.setdefault(each.attributes, len(label_sets)) for each in known
        ]
        batch.session_ids += [each.session_id for each in known]
        batch.streams += [exporter.stream] * count
        is_delta = temporality is Temporality.DELTA
        batch.series += [b"" if is_delta else each.series for each in known]

    def reject(self, name: str, rejected: Rejected, points: int = 1) -> None:
        """Note points that break a rule."""
        self.batch.rejected += [
            RejectedPoint(
                metric_name=name[:MAX_METRIC_NAME], reason=rejected.reason, problem=rejected.problem
            )
        ] * points

    def notes(self) -> Notes:
        """Return what the mapping left out, of all points."""
        points = np.bincount(self.batch.label_set_indexes, minlength=len(self.label_sets))
        each = list(zip(points.tolist(), self.label_sets, strict=True))
        return Notes(
            cut_values=sum(count * known.labels.cut_values for count, known in each),
            dropped_labels=sum(count * known.labels.dropped_labels for count, known in each),
        )


def decode(
    request: Any, mapping: AttributeMapping, exporters: KnownExporters
) -> tuple[ExportedBatch, Notes]:
    """Return the points of a request whose messages are those of `wire`."""
    collector = _Collector(exporters=exporters)
    for of_resource in request.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            exporter = exporters.exporter(mapping, of_resource.resource, of_scope.scope)
            for metric in of_scope.metrics:
                _metric(collector, exporter, metric)
    collector.batch.label_sets = [known.labels.label_set for known in collector.label_sets]
    return collector.batch, collector.notes()


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
    except Rejected as rejected:
        collector.reject(name, rejected, _count(data.data_points))
        return
    collector.batch.metrics.append(
        ExportedMetric(
            name=name, type=metric_type, unit=metric.unit, description=metric.description
        )
    )
    if kind in READERS:
        _histograms(collector, exporter, name, temporality, data.data_points, READERS[kind])
    elif data.data_points:
        _numbers(collector, exporter, name, temporality, data.data_points)


def _count(points: Sequence[Any]) -> int:
    """Return how many points say more than that there is no value."""
    read = (
        wire.parse(wire.NUMBER_POINT, each) if isinstance(each, bytes) else each for each in points
    )
    return sum(not each.flags & NO_RECORDED_VALUE for each in read)


def _check_name(name: str) -> None:
    if not is_metric_name(name):
        problem = f"must match [a-zA-Z_][a-zA-Z0-9_.:]* in at most {MAX_METRIC_NAME} characters"
        raise Rejected(Reason.NAME, f"{problem}: it is no name of a metric")


def _meaning(kind: str, data: Any) -> tuple[MetricType, Temporality]:
    """Return what the points of a metric are."""
    if kind == "gauge":
        return MetricType.GAUGE, Temporality.STATE
    if kind == "summary":
        raise Rejected(Reason.UNSUPPORTED, "must not be a summary: use a histogram")
    if data.aggregation_temporality not in (_DELTA, _CUMULATIVE):
        raise Rejected(Reason.UNSUPPORTED, "must have a temporality, delta or cumulative")
    is_delta = data.aggregation_temporality == _DELTA
    temporality = Temporality.DELTA if is_delta else Temporality.CUMULATIVE
    if kind != "sum":
        return MetricType.HISTOGRAM, temporality
    if data.is_monotonic:
        return MetricType.COUNTER, temporality
    return MetricType.GAUGE, Temporality.CHANGE if is_delta else Temporality.STATE


def _numbers(
    collector: _Collector,
    exporter: Exporter,
    name: str,
    temporality: Temporality,
    points: Sequence[bytes],
) -> None:
    try:
        columns = read_columns(points)
        known = _known(collector, exporter, columns)
    except NotAttributes:
        columns = read_each(points)
        known = _known(collector, exporter, columns)
    too_late = np.maximum(columns.starts_ns, columns.times_ns) > _MOST_NANOSECONDS
    taken = columns.has_value & ~too_late
    is_empty = [each.is_empty for each in known]
    if True in is_empty or not taken.all():
        for empty, late, has_value in zip(
            is_empty, too_late.tolist(), columns.has_value.tolist(), strict=True
        ):
            if not empty and not has_value:
                collector.reject(name, Rejected(Reason.VALUE, "must have a value"))
            elif not empty and late:
                collector.reject(name, Rejected(Reason.TIME, _TOO_LATE))
        taken &= ~np.array(is_empty)
        known = [known[index] for index in np.flatnonzero(taken).tolist()]
    collector.add(
        exporter,
        temporality,
        known,
        columns.values[taken].tolist(),
        columns.starts_ns[taken].tolist(),
        columns.times_ns[taken].tolist(),
        [None] * len(known),
    )


def _known(
    collector: _Collector, exporter: Exporter, columns: NumberColumns
) -> Sequence[KnownPoint]:
    find, read = exporter.points.get, collector.exporters.point
    return [find(rest) or read(exporter, rest) for rest in columns.rests]


def _histograms(
    collector: _Collector,
    exporter: Exporter,
    name: str,
    temporality: Temporality,
    points: Sequence[Any],
    read: Callable[[Any], GivenDistribution],
) -> None:
    each = [
        (point, collector.exporters.of_histogram(exporter, point.attributes, point.flags))
        for point in points
    ]
    each = [(point, known) for point, known in each if not known.is_empty]
    found = read_histograms([point for point, _ in each], read)
    taken: list[tuple[KnownPoint, float, int, int, GivenDistribution]] = []
    for (point, known), histogram in zip(each, found, strict=True):
        start_ns, time_ns = point.start_time_unix_nano, point.time_unix_nano
        if max(start_ns, time_ns) > _MOST_NANOSECONDS:
            collector.reject(name, Rejected(Reason.TIME, _TOO_LATE))
        elif isinstance(histogram, Rejected):
            collector.reject(name, histogram)
        else:
            taken.append((known, histogram.sum, start_ns, time_ns, histogram))
    if taken:
        collector.add(exporter, temporality, *zip(*taken, strict=True))
