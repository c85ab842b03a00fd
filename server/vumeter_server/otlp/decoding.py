"""Makes points of the messages of a request; what breaks a rule is rejected by itself."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
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
from vumeter_server.otlp.number_points import (
    MOST_NANOSECONDS,
    NotAttributes,
    NumberColumns,
    read_each,
    read_runs,
)
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
        batch.series += [b""] * count if is_delta else [each.series for each in known]

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


# One is made per metric. It is not frozen, since that would make it three times as slow to make.
@dataclass(kw_only=True, slots=True, eq=False)
class _Run:
    """The points of one metric as they came; `read` reads those of a histogram."""

    exporter: Exporter
    metric: ExportedMetric
    temporality: Temporality
    points: Sequence[Any]
    read: Callable[[Any], GivenDistribution] | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _RejectedRun:
    """As many points of a metric that none is taken of."""

    name: str
    rejected: Rejected
    points: int


def decode(
    request: Any, mapping: AttributeMapping, exporters: KnownExporters
) -> tuple[ExportedBatch, Notes]:
    """Return the points of a request whose messages are those of `wire`."""
    collector = _Collector(exporters=exporters)
    runs: list[_Run | _RejectedRun] = []
    for of_resource in request.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            exporter = exporters.exporter(mapping, of_resource.resource, of_scope.scope)
            runs += [
                _run(exporter, metric, kind)
                for metric in of_scope.metrics
                if (kind := metric.WhichOneof("data")) is not None
            ]
    # All points of a form are read at once, since a request has few points of many metrics.
    given = [run for run in runs if isinstance(run, _Run)]
    columns = iter(read_runs([run.points for run in given if run.read is None]))
    histograms = _histograms_of(exporters, [run for run in given if run.read is not None])
    for run in runs:
        if isinstance(run, _RejectedRun):
            collector.reject(run.name, run.rejected, run.points)
            continue
        collector.batch.metrics.append(run.metric)
        if run.read is None:
            _numbers(collector, run, next(columns))
        else:
            _histograms(collector, run, next(histograms))
    collector.batch.label_sets = [known.labels.label_set for known in collector.label_sets]
    return collector.batch, collector.notes()


def metric_name(name: str) -> str:
    """Return the name of the metric that an instrument becomes: `-` and `/` become `_`."""
    return _NOT_OF_NAMES.sub("_", name)


def _run(exporter: Exporter, metric: Any, kind: str) -> _Run | _RejectedRun:
    data = getattr(metric, kind)
    try:
        name = _checked_name(metric.name)
        metric_type, temporality = _meaning(kind, data)
    except Rejected as rejected:
        name = metric_name(metric.name)
        return _RejectedRun(name=name, rejected=rejected, points=_count(data.data_points))
    return _Run(
        exporter=exporter,
        metric=ExportedMetric(
            name=name, type=metric_type, unit=metric.unit, description=metric.description
        ),
        temporality=temporality,
        points=data.data_points[:],
        read=READERS.get(kind),
    )


def _count(points: Sequence[Any]) -> int:
    """Return how many points say more than that there is no value."""
    read = (
        wire.parse(wire.NUMBER_POINT, each) if isinstance(each, bytes) else each for each in points
    )
    return sum(not each.flags & NO_RECORDED_VALUE for each in read)


# Nearly all were sent before.
@lru_cache(maxsize=10_000)
def _checked_name(given: str) -> str:
    """Do as `metric_name`; raises Rejected if it is no name, which is not cached."""
    name = metric_name(given)
    if not is_metric_name(name):
        problem = f"must match [a-zA-Z_][a-zA-Z0-9_.:]* in at most {MAX_METRIC_NAME} characters"
        raise Rejected(Reason.NAME, f"{problem}: it is no name of a metric")
    return name


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


def _numbers(collector: _Collector, run: _Run, columns: NumberColumns | None) -> None:
    """Add numbers; `columns` is None where they are read one by one."""
    known: Sequence[KnownPoint] | None = None
    if columns is not None:
        with contextlib.suppress(NotAttributes):
            known = _known(collector, run.exporter, columns)
    if columns is None or known is None:
        columns = read_each(run.points)
        known = _known(collector, run.exporter, columns)
    is_empty = [each.is_empty for each in known]
    starts_ns, times_ns, values = columns.starts_ns, columns.times_ns, columns.values
    if True in is_empty or not columns.are_whole:
        taken = []
        for number, (empty, has_value) in enumerate(zip(is_empty, columns.has_value, strict=True)):
            if empty:
                continue
            if not has_value:
                rejected = Rejected(Reason.VALUE, "must have a value")
                collector.reject(run.metric.name, rejected)
            elif max(starts_ns[number], times_ns[number]) > MOST_NANOSECONDS:
                collector.reject(run.metric.name, Rejected(Reason.TIME, _TOO_LATE))
            else:
                taken.append(number)
        known = [known[number] for number in taken]
        values = [values[number] for number in taken]
        starts_ns, times_ns = (
            [column[number] for number in taken] for column in (starts_ns, times_ns)
        )
    none = [None] * len(known)
    collector.add(run.exporter, run.temporality, known, values, starts_ns, times_ns, none)


def _known(
    collector: _Collector, exporter: Exporter, columns: NumberColumns
) -> Sequence[KnownPoint]:
    find, read = exporter.points.get, collector.exporters.point
    return [find(rest) or read(exporter, rest) for rest in columns.rests]


_Histogram = tuple[Any, KnownPoint, GivenDistribution | Rejected]


def _histograms_of(exporters: KnownExporters, runs: Sequence[_Run]) -> Iterator[list[_Histogram]]:
    """Yield the points of each run that have a value, with their labels and histograms."""
    found = [
        [
            (point, known)
            for point in run.points
            if not (
                known := exporters.of_histogram(run.exporter, point.attributes, point.flags)
            ).is_empty
        ]
        for run in runs
    ]
    histograms = iter(
        read_histograms(
            [
                (point, run.read)
                for run, points in zip(runs, found, strict=True)
                for point, _ in points
                if run.read is not None
            ]
        )
    )
    for points in found:
        yield [(point, known, next(histograms)) for point, known in points]


def _histograms(collector: _Collector, run: _Run, points: Sequence[_Histogram]) -> None:
    taken: list[tuple[KnownPoint, float, int, int, GivenDistribution]] = []
    for point, known, histogram in points:
        start_ns, time_ns = point.start_time_unix_nano, point.time_unix_nano
        if max(start_ns, time_ns) > MOST_NANOSECONDS:
            collector.reject(run.metric.name, Rejected(Reason.TIME, _TOO_LATE))
        elif isinstance(histogram, Rejected):
            collector.reject(run.metric.name, histogram)
        else:
            taken.append((known, histogram.sum, start_ns, time_ns, histogram))
    if taken:
        collector.add(run.exporter, run.temporality, *zip(*taken, strict=True))
