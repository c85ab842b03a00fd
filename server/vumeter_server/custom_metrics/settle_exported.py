"""Makes points of what exporters sent: each is taken or rejected by itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exported import (
    MAX_DESCRIPTION,
    MAX_UNIT,
    ExportedBatch,
    ExportedMetric,
    KnownMetric,
    Reason,
    RejectedPoint,
    RoomForMetrics,
    Temporality,
)
from vumeter_server.custom_metrics.exported_histograms import in_other_unit, within_buckets
from vumeter_server.custom_metrics.given_distributions import GivenDistribution, collect
from vumeter_server.custom_metrics.increments import (
    Note,
    SeriesStates,
    histogram_increment,
    increment,
    running_sum,
)
from vumeter_server.custom_metrics.model import Batch, LabelSet, MetricType, Settled
from vumeter_server.custom_metrics.units import time_factor
from vumeter_server.custom_metrics.validation import AHEAD_PROBLEM, MAX_AHEAD_US, MAX_VALUE
from vumeter_server.times.units import DAY_US

T = TypeVar("T", str, int)

STATES_KEPT_US: Final = 7 * DAY_US
"""A series is forgotten when it had no point for so long."""


FindStates = Callable[[bytes, str], SeriesStates]
"""Returns the states of an exporter's metric, to be changed in place and stored."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SettledExport:
    """What a request becomes.

    Attributes:
        settled: the points that are stored.
        taken: how many points were not rejected.
        rejected: those that were, with those that were rejected before.
        described: units and descriptions that are told for the first time, by metric.
        notes: how many increments were found in an unusual way.
        other_units: how many points came in a unit that cannot be converted to the first one.
    """

    settled: Settled
    taken: int
    rejected: list[RejectedPoint]
    described: dict[str, KnownMetric]
    notes: Counter[Note]
    other_units: int


@dataclass(kw_only=True, slots=True)
class _Points:
    """The points that are stored, a list element per point."""

    names: list[str] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    histograms: list[GivenDistribution | None] = field(default_factory=list)
    times_us: list[int] = field(default_factory=list)
    label_sets: list[int] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)


def settle_exported(
    batch: ExportedBatch,
    known: Mapping[str, KnownMetric],
    find_states: FindStates,
    now_us: int,
    *,
    room: RoomForMetrics,
) -> SettledExport:
    """Decide each point of a request.

    `known` holds those of the batch's metrics that the organization has; it can have as many more
    as there is `room` for. A metric keeps the type of its first point, and the first unit that is
    told; a value in another unit of time is converted.
    """
    return _Settling(batch, known, find_states, now_us, room).run()


class _Settling:
    def __init__(
        self,
        batch: ExportedBatch,
        known: Mapping[str, KnownMetric],
        find_states: FindStates,
        now_us: int,
        room: RoomForMetrics,
    ) -> None:
        self._batch = batch
        self._room = room
        self._known = dict(known)
        self._new: set[str] = set()
        self._find_states = find_states
        self._last_ns = (now_us + MAX_AHEAD_US) * 1_000
        self._oldest_ns = (now_us - STATES_KEPT_US) * 1_000
        self._points = _Points()
        self._rejected = list(batch.rejected)
        self._notes: Counter[Note] = Counter()
        self._other_units = 0
        self._described: dict[str, KnownMetric] = {}

    def run(self) -> SettledExport:
        factors: dict[int, float] = {}
        taken = 0
        for index, metric_index in enumerate(self._batch.metric_indexes):
            metric = self._batch.metrics[metric_index]
            rejected = self._problem(metric, index)
            if rejected is not None:
                self._rejected.append(rejected)
                continue
            taken += 1
            if metric_index not in factors:
                factors[metric_index] = self._describe(metric)
            self._take(metric, index, factors[metric_index])
        settled = self._settled()
        return SettledExport(
            settled=settled,
            taken=taken,
            rejected=self._rejected,
            described=self._described,
            notes=self._notes,
            other_units=self._other_units,
        )

    def _problem(self, metric: ExportedMetric, index: int) -> RejectedPoint | None:
        """Return why a point cannot be taken; None if it can."""
        own = self._known.get(metric.name)
        if own is not None and own.type is not metric.type:
            problem = f"must be {own.type.name.lower()}, as this metric was first recorded"
            return _rejected(metric, Reason.TYPE, problem)
        if not self._room.has(metric.name, self._known):
            return _rejected(metric, Reason.LIMIT, "must not be a new metric: there are too many")
        problem = self._problem_of_time(self._batch.times_ns[index])
        if problem:
            return _rejected(metric, Reason.TIME, problem)
        problem = _problem_of_value(metric.type, self._batch.values[index])
        return _rejected(metric, Reason.VALUE, problem) if problem else None

    def _problem_of_time(self, time_ns: int) -> str:
        if time_ns <= 0:
            return "must have a time"
        if time_ns > self._last_ns:
            return AHEAD_PROBLEM
        return ""

    def _describe(self, metric: ExportedMetric) -> float:
        """Note what is told of a metric for the first time; return the factor of its values."""
        own = self._known.get(metric.name)
        self._room.take(metric.name, self._known)
        unit, description = metric.unit[:MAX_UNIT], metric.description[:MAX_DESCRIPTION]
        if own is None:
            self._new.add(metric.name)
            own = KnownMetric(metric.type)
        described = KnownMetric(own.type, own.unit or unit, own.description or description)
        if described != own:
            self._described[metric.name] = described
        self._known[metric.name] = described
        if described.unit in ("", unit) or not unit:
            return 1.0
        factor = time_factor(unit, described.unit)
        return 0.0 if factor is None else factor

    def _take(self, metric: ExportedMetric, index: int, factor: float) -> None:
        batch = self._batch
        if not factor:
            self._other_units += 1
            factor = 1.0
        histogram = batch.histograms[index]
        if histogram is not None:
            found = self._increment_of_histogram(metric, index, histogram)
            if found is not None:
                found = within_buckets(found if factor == 1.0 else in_other_unit(found, factor))
                self._add(metric, index, found.sum, found)
            return
        value = self._increment(metric, index)
        if value is not None:
            self._add(metric, index, value * factor, None)

    def _increment(self, metric: ExportedMetric, index: int) -> float | None:
        """Return the value that is stored of a number; None for nothing."""
        batch = self._batch
        value, temporality = batch.values[index], batch.temporalities[index]
        if temporality is Temporality.STATE:
            return value
        if temporality is Temporality.DELTA:
            return value or None
        states = self._find_states(batch.streams[index], metric.name)
        series, time_ns = batch.series[index], batch.times_ns[index]
        if temporality is Temporality.CHANGE:
            return running_sum(states, series, time_ns, value)
        added, note = increment(
            states, series, batch.starts_ns[index], time_ns, value, oldest_ns=self._oldest_ns
        )
        if note is not None:
            self._notes[note] += 1
        return added or None

    def _increment_of_histogram(
        self, metric: ExportedMetric, index: int, histogram: GivenDistribution
    ) -> GivenDistribution | None:
        batch = self._batch
        if batch.temporalities[index] is Temporality.DELTA:
            return histogram if histogram.count else None
        states = self._find_states(batch.streams[index], metric.name)
        added, note = histogram_increment(
            states,
            batch.series[index],
            batch.starts_ns[index],
            batch.times_ns[index],
            histogram,
            oldest_ns=self._oldest_ns,
        )
        if note is not None:
            self._notes[note] += 1
        return added

    def _add(
        self, metric: ExportedMetric, index: int, value: float, histogram: GivenDistribution | None
    ) -> None:
        points, batch = self._points, self._batch
        points.names.append(metric.name)
        points.types.append(metric.type)
        points.values.append(value + 0.0)
        points.histograms.append(histogram)
        points.times_us.append(batch.times_ns[index] // 1_000)
        points.label_sets.append(batch.label_set_indexes[index])
        points.sessions.append(batch.session_ids[index])

    def _settled(self) -> Settled:
        points = self._points
        names, name_indexes = _numbered(points.names)
        sessions, session_indexes = _numbered([each for each in points.sessions if each])
        of_session = np.full(len(points.values), -1, np.int32)
        of_session[[bool(each) for each in points.sessions]] = session_indexes
        used, label_set_indexes = _numbered(points.label_sets)
        label_sets: list[LabelSet] = [self._batch.label_sets[each] for each in used]
        values = np.array(points.values, np.float64)
        times_us = np.array(points.times_us, np.int64)
        batch = Batch(
            names=names,
            name_indexes=name_indexes,
            types=np.array(points.types, np.uint8),
            values=values,
            times_us=times_us,
            label_sets=label_sets,
            label_set_indexes=label_set_indexes,
            sessions=sessions,
            session_indexes=of_session,
            distributions=collect(
                (index, each) for index, each in enumerate(points.histograms) if each is not None
            ),
        )
        new_types = {name: self._known[name].type for name in names if name in self._new}
        # A metric of which nothing is stored yet is described by the request that brings a point.
        for name in self._new - new_types.keys():
            self._described.pop(name, None)
        return Settled(batch=batch, values=values, times_us=times_us, new_types=new_types)


def _numbered(items: list[T]) -> tuple[list[T], npt.NDArray[np.int32]]:
    numbers: dict[T, int] = {}
    for item in items:
        numbers.setdefault(item, len(numbers))
    return list(numbers), np.fromiter(map(numbers.__getitem__, items), np.int32, len(items))


def _problem_of_value(metric_type: MetricType, value: float) -> str:
    if not math.isfinite(value):
        return "must be a finite number"
    if abs(value) > MAX_VALUE:
        return "must be from -1e15 to 1e15"
    if metric_type is MetricType.COUNTER and value < 0:
        return "must not be negative for a counter"
    return ""


def _rejected(metric: ExportedMetric, reason: Reason, problem: str) -> RejectedPoint:
    return RejectedPoint(metric_name=metric.name, reason=reason, problem=problem)
