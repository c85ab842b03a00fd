"""Reads the points of a selection, column by column, from the day segments and from the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import Selection
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array, Kind
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    check_together,
    read_columns,
    read_distributions,
)
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter
from vumeter_server.sqlite import check_cancelled


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PointColumns:
    """Some points of a selection, as columns of equal length.

    Attributes:
        metric_codes: one interned id for all, or int32[points].
        values: [points], whole numbers of any width or float64.
        times_us: int64[points], microseconds since the epoch; None if not asked for.
        label_sets: interned label sets, [points]; None if not asked for.
        sessions: interned sessions, [points], -1 for none; None if not asked for.
        bounds_us: the earliest and latest time that the points can have.
        distributions: those of the points that are distributions; None if there are none, or if
            they were not asked for.
    """

    metric_codes: int | Array
    values: Array
    times_us: Array | None
    label_sets: Array | None
    sessions: Array | None
    bounds_us: tuple[int, int]
    distributions: Distributions | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which columns a query reads beside the values; `bounds_us` are instants that it cuts at."""

    times: bool = False
    label_sets: bool = False
    sessions: bool = False
    distributions: bool = False
    bounds_us: Sequence[int] = ()


def _equalities(selection: Selection) -> list[Matcher]:
    return [Matcher(key, Operator.EQUAL, (value,)) for key, value in selection.filters]


def _wide(column: Array) -> Array:
    return column.astype(np.int64, copy=False)


class Scan:
    """Reads the points of some metrics that match a selection's filters, range by range.

    Points come with their times where these were asked for, and where an end of the range or a
    bound of `wanted` lies within the points' `bounds_us`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        selection: Selection,
        metric_codes: Sequence[int],
        wanted: Wanted,
        matching: PointFilter | None = None,
    ) -> None:
        """Scan what the selection's filters match, or instead of these `matching`."""
        self._snapshot = snapshot
        self._selection = selection
        self._metric_codes = metric_codes
        self._wanted = wanted
        self.matcher = matching or PointFilter(snapshot, _equalities(selection))

    def all(self) -> Iterator[PointColumns]:
        """Yield every point of the selection: segments in order of days, then the head."""
        yield from self.days(self._selection.start_us, self._selection.end_us)
        yield from self.head()

    def days(self, start_us: int, end_us: int, *, after_part: int = -1) -> Iterator[PointColumns]:
        """Yield the flushed points of a range, of the parts of days after that number."""
        if self.matcher.matches_nothing or start_us >= end_us:
            return
        for metric_code in self._metric_codes:
            check_cancelled()
            yield from self._days_of(metric_code, start_us, end_us, after_part)

    def _days_of(
        self, metric_code: int, start_us: int, end_us: int, after_part: int
    ) -> Iterator[PointColumns]:
        wanted, matcher = self._wanted, self.matcher
        first_day, last_day = start_us // DAY_US, (end_us - 1) // DAY_US

        def read(
            kind: Kind, first: int = first_day, last: int = last_day
        ) -> dict[tuple[int, int], Array]:
            return read_columns(
                self._snapshot.connection,
                self._snapshot.organization_id,
                metric_code,
                kind,
                (first, last + 1),
                after_part=after_part,
            )

        values = read(Kind.VALUE)
        if not values:
            return
        with_label_sets = wanted.label_sets or matcher.reads_label_sets
        label_sets = read(Kind.SERIES) if with_label_sets else {}
        with_sessions = wanted.sessions or matcher.reads_sessions
        sessions = read(Kind.SESSION) if with_sessions else {}
        times = read(Kind.TIME) if wanted.times else {}
        for is_read, column in (
            (with_label_sets, label_sets),
            (with_sessions, sessions),
            (wanted.times, times),
        ):
            if is_read:
                check_together(values, column)
        if not wanted.times:
            cuts = np.array([start_us, end_us, *wanted.bounds_us], np.int64)
            cut_days = set((cuts[cuts % DAY_US != 0] // DAY_US).tolist())
            for day in sorted(cut_days & {day for day, _ in values}):
                of_day = read(Kind.TIME, day, day)
                check_together({key: each for key, each in values.items() if key[0] == day}, of_day)
                times |= of_day
        distributions: dict[tuple[int, int], Distributions] = {}
        if wanted.distributions and metric_code in self._snapshot.metrics.distributed:
            distributions = read_distributions(
                self._snapshot.connection,
                self._snapshot.organization_id,
                metric_code,
                (first_day, last_day + 1),
                after_part=after_part,
            )
        for (day, part), part_values in values.items():
            day_us = day * DAY_US
            part_times = times.get((day, part))
            points = PointColumns(
                metric_codes=metric_code,
                values=part_values,
                times_us=None if part_times is None else _wide(part_times) + day_us,
                label_sets=label_sets.get((day, part)),
                # Flushed sessions are written plus 1, so that none is 0.
                sessions=_wide(sessions[day, part]) - 1 if with_sessions else None,
                bounds_us=(day_us, day_us + DAY_US - 1),
                distributions=distributions.get((day, part)),
            )
            yield from self._narrowed(points, start_us, end_us)

    def head(self, ranges_us: Sequence[tuple[int, int]] | None = None) -> Iterator[PointColumns]:
        """Yield the points of the head, of the whole selection or of these ranges alone."""
        head = self._snapshot.head
        if self.matcher.matches_nothing or not len(head):
            return
        asked = np.zeros(self._snapshot.state.metrics, np.bool_)
        asked[list(self._metric_codes)] = True
        chosen = asked[head["metric"]]
        distributions = self._snapshot.head_distributions if self._wanted.distributions else None
        if not chosen.all():
            if distributions is not None:
                distributions = distributions.taken(np.flatnonzero(chosen), len(head))
            head = head[chosen]
        if not len(head):
            return
        times_us = head["time_us"]
        points = PointColumns(
            metric_codes=head["metric"],
            values=head["value"],
            times_us=times_us,
            label_sets=head["series"],
            sessions=head["session"],
            bounds_us=(int(times_us.min()), int(times_us.max())),
            distributions=distributions,
        )
        whole = [(self._selection.start_us, self._selection.end_us)]
        for start_us, end_us in whole if ranges_us is None else ranges_us:
            yield from self._narrowed(points, start_us, end_us)

    def _narrowed(self, points: PointColumns, start_us: int, end_us: int) -> Iterator[PointColumns]:
        """Yield the points that are in the range and match the filters."""
        first_us, last_us = points.bounds_us
        if last_us < start_us or first_us >= end_us:
            return
        mask = self.matcher.mask(points.label_sets, points.sessions)
        times_us = points.times_us
        if times_us is not None and not (start_us <= first_us and last_us < end_us):
            in_range = (times_us >= start_us) & (times_us < end_us)
            mask = in_range if mask is None else mask & in_range
            first_us, last_us = max(first_us, start_us), min(last_us, end_us - 1)
        if mask is None or mask.all():
            yield points
            return
        # Where few match, their positions are found faster than elements are left out.
        chosen = np.flatnonzero(mask)
        if not len(chosen):
            return
        codes = points.metric_codes
        yield PointColumns(
            metric_codes=codes if isinstance(codes, int) else codes[chosen],
            values=points.values[chosen],
            times_us=None if times_us is None else times_us[chosen],
            label_sets=None if points.label_sets is None else points.label_sets[chosen],
            sessions=None if points.sessions is None else points.sessions[chosen],
            bounds_us=(first_us, last_us),
            distributions=points.distributions
            and points.distributions.taken(chosen, len(points.values)),
        )
