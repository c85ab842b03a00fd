"""Makes points of what exporters sent: each is taken or rejected by itself."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

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
from vumeter_server.custom_metrics.exported_batches import StoredPoints, chosen
from vumeter_server.custom_metrics.exported_histograms import in_other_unit, within_buckets
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.increments import (
    Note,
    SeriesStates,
    histogram_increment,
    increments,
    running_sum,
)
from vumeter_server.custom_metrics.model import MetricType, Settled
from vumeter_server.custom_metrics.units import time_factor
from vumeter_server.custom_metrics.validation import AHEAD_PROBLEM, MAX_AHEAD_US, MAX_VALUE
from vumeter_server.times.units import DAY_US

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
        described: units and descriptions that are sent for the first time, by metric.
        notes: how many increments were found in an unusual way.
        other_units: how many points came in a unit that cannot be converted to the first one.
    """

    settled: Settled
    taken: int
    rejected: list[RejectedPoint]
    described: dict[str, KnownMetric]
    notes: Counter[Note]
    other_units: int


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
    sent; a value in another unit of time is converted.
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
        self._points = StoredPoints()
        self._rejected = list(batch.rejected)
        self._notes: Counter[Note] = Counter()
        self._other_units = 0
        self._described: dict[str, KnownMetric] = {}

    def run(self) -> SettledExport:
        batch = self._batch
        wrong = self._wrong()
        taken = 0
        start = 0
        for metric_index, points in itertools.groupby(batch.metric_indexes):
            stop = start + len(list(points))
            taken += self._take_metric(batch.metrics[metric_index], start, stop, wrong)
            start = stop
        return SettledExport(
            settled=self._settled(),
            taken=taken,
            rejected=self._rejected,
            described=self._described,
            notes=self._notes,
            other_units=self._other_units,
        )

    def _wrong(self) -> list[int]:
        """Return the numbers of points with a time or value that their metric does not take."""
        batch = self._batch
        # Mostly none is. `min` and `max` do not find a NaN.
        if not batch.values or (
            math.isfinite(sum(batch.values))
            and 0 <= min(batch.values) <= max(batch.values) <= MAX_VALUE
            and 0 < min(batch.times_ns) <= max(batch.times_ns) <= self._last_ns
        ):
            return []
        values = np.array(batch.values, np.float64)
        times_ns = np.array(batch.times_ns, np.int64)
        counters = np.array([each.type is MetricType.COUNTER for each in batch.metrics], bool)
        # What is no number is not less either.
        fits = (np.abs(values) <= MAX_VALUE) & (times_ns > 0) & (times_ns <= self._last_ns)
        fits &= ~(counters[np.array(batch.metric_indexes, np.int64)] & (values < 0))
        return np.flatnonzero(~fits).tolist()

    def _take_metric(
        self, metric: ExportedMetric, start: int, stop: int, wrong: Sequence[int]
    ) -> int:
        """Decide the points of a metric, from `start` to `stop`; return how many were taken."""
        rejected = self._problem_of_metric(metric)
        if rejected is not None:
            self._rejected += [rejected] * (stop - start)
            return 0
        numbers: Sequence[int] = range(start, stop)
        if wrong:
            bad = wrong[bisect_left(wrong, start) : bisect_left(wrong, stop)]
            self._rejected += [self._problem(metric, number) for number in bad]
            numbers = sorted(set(numbers).difference(bad))
        if numbers:
            self._take(metric, numbers, self._describe(metric))
        return len(numbers)

    def _problem_of_metric(self, metric: ExportedMetric) -> RejectedPoint | None:
        """Return why no point of a metric can be taken; None if they can."""
        own = self._known.get(metric.name)
        if own is not None and own.type is not metric.type:
            problem = f"must be {own.type.name.lower()}, as this metric was first recorded"
            return _rejected(metric, Reason.TYPE, problem)
        if not self._room.has(metric.name, self._known):
            return _rejected(metric, Reason.LIMIT, "must not be a new metric: there are too many")
        return None

    def _problem(self, metric: ExportedMetric, number: int) -> RejectedPoint:
        """Return why a point cannot be taken."""
        time_ns = self._batch.times_ns[number]
        if time_ns <= 0:
            return _rejected(metric, Reason.TIME, "must have a time")
        if time_ns > self._last_ns:
            return _rejected(metric, Reason.TIME, AHEAD_PROBLEM)
        value = self._batch.values[number]
        if not math.isfinite(value):
            return _rejected(metric, Reason.VALUE, "must be a finite number")
        if abs(value) > MAX_VALUE:
            return _rejected(metric, Reason.VALUE, "must be from -1e15 to 1e15")
        return _rejected(metric, Reason.VALUE, "must not be negative for a counter")

    def _describe(self, metric: ExportedMetric) -> float:
        """Note what is sent of a metric for the first time; return the factor of its values."""
        own = self._known.get(metric.name)
        self._room.take(metric.name, self._known)
        unit, description = metric.unit[:MAX_UNIT], metric.description[:MAX_DESCRIPTION]
        if own is None:
            self._new.add(metric.name)
            own = KnownMetric(metric.type)
        described = own
        if (unit and not own.unit) or (description and not own.description):
            described = KnownMetric(own.type, own.unit or unit, own.description or description)
            self._described[metric.name] = described
        self._known[metric.name] = described
        if described.unit in ("", unit) or not unit:
            return 1.0
        factor = time_factor(unit, described.unit)
        return 0.0 if factor is None else factor

    def _take(self, metric: ExportedMetric, numbers: Sequence[int], factor: float) -> None:
        """Store what points of one metric say; all of them were exported in one way."""
        if not factor:
            self._other_units += len(numbers)
            factor = 1.0
        batch, points = self._batch, self._points
        temporality = batch.temporalities[numbers[0]]
        if batch.histograms[numbers[0]] is not None:
            self._take_histograms(metric, numbers, factor)
        elif temporality is Temporality.CUMULATIVE:
            points.add_counted(numbers, self._increments(metric, numbers), factor)
        elif temporality is Temporality.CHANGE:
            for number in numbers:
                states = self._find_states(batch.streams[number], metric.name)
                series, time_ns = batch.series[number], batch.times_ns[number]
                state = running_sum(states, series, time_ns, batch.values[number])
                points.add(number, state * factor)
        elif temporality is Temporality.STATE:
            # What did not change is stored of a state, but not of a count.
            points.add_all(numbers, chosen(batch.values, numbers), factor)
        else:
            points.add_counted(numbers, chosen(batch.values, numbers), factor)

    def _increments(self, metric: ExportedMetric, numbers: Sequence[int]) -> list[float]:
        """Return what numbers add to their series."""
        batch = self._batch
        series, starts_ns, times_ns = (
            chosen(column, numbers) for column in (batch.series, batch.starts_ns, batch.times_ns)
        )
        values = chosen(batch.values, numbers)
        # The points of a metric come from one exporter.
        states = self._find_states(batch.streams[numbers[0]], metric.name)
        given = zip(series, starts_ns, times_ns, values, strict=True)
        found, notes = increments(states, given, oldest_ns=self._oldest_ns)
        self._notes += notes
        return found

    def _take_histograms(
        self, metric: ExportedMetric, numbers: Sequence[int], factor: float
    ) -> None:
        added: dict[int, GivenDistribution] = {}
        changed: dict[int, GivenDistribution] = {}
        for number in numbers:
            histogram = self._batch.histograms[number]
            found = None if histogram is None else self._added(metric, number, histogram)
            if found is None:
                continue
            added[number] = found
            # As it came it keeps the rules.
            if factor != 1.0:
                changed[number] = in_other_unit(found, factor)
            elif found is not histogram:
                changed[number] = found
        if changed:
            added |= zip(changed, within_buckets(list(changed.values())), strict=True)
        points = self._points
        for number, histogram in added.items():
            points.histograms.append((len(points.values), histogram))
            points.add(number, histogram.sum)

    def _added(
        self, metric: ExportedMetric, index: int, histogram: GivenDistribution
    ) -> GivenDistribution | None:
        """Return what a histogram adds to its series; None for nothing."""
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

    def _settled(self) -> Settled:
        batch = self._points.batch(self._batch)
        names = batch.names
        new_types = {name: self._known[name].type for name in names if name in self._new}
        # A metric of which nothing is stored yet is described by the request that brings a point.
        for name in self._new - new_types.keys():
            self._described.pop(name, None)
        return Settled(
            batch=batch, values=batch.values, times_us=batch.times_us, new_types=new_types
        )


def _rejected(metric: ExportedMetric, reason: Reason, problem: str) -> RejectedPoint:
    return RejectedPoint(metric_name=metric.name, reason=reason, problem=problem)
