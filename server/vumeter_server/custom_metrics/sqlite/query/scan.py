"""Reads the points of a selection, column by column, from the day segments and from the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import Selection
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_columns import Segments, read_segments
from vumeter_server.custom_metrics.sqlite.formats.segment_groups import SegmentSpan, spans_of_days
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    check_together,
    read_distributions,
)
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter
from vumeter_server.custom_metrics.sqlite.query.point_columns import (
    PointColumns,
    points_of_segments,
)
from vumeter_server.sqlite import check_cancelled

# The points of so many metrics are read together, of one day.
METRICS_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which columns a query reads; `bounds_us` are instants that it cuts at."""

    values: bool = True
    times: bool = False
    label_sets: bool = False
    sessions: bool = False
    distributions: bool = False
    bounds_us: Sequence[int] = ()


def _equalities(selection: Selection) -> list[Matcher]:
    return [Matcher(key, Operator.EQUAL, (value,)) for key, value in selection.filters]


def _add_times(segments: Segments, day: int, times: Segments) -> None:
    """Add the column of times to what was read of the segments of a day."""
    of_day = {key: columns for key, columns in segments.items() if key[0] == day}
    check_together(
        {key: next(iter(columns.values())) for key, columns in of_day.items()},
        {key: columns[Kind.TIME] for key, columns in times.items()},
    )
    for key, columns in of_day.items():
        columns[Kind.TIME] = times[key][Kind.TIME]


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
        """Yield the flushed points of a range, of the parts of days after that number.

        Of many points no more are in memory at once than a segment may have.
        """
        if self.matcher.matches_nothing or start_us >= end_us:
            return
        first, end = start_us // DAY_US, (end_us - 1) // DAY_US + 1
        snapshot = self._snapshot
        spans = spans_of_days(snapshot.connection, snapshot.organization_id, first, end, after_part)
        # Of one day few points are read, so that several metrics are read by one statement.
        at_once = METRICS_AT_ONCE if end == first + 1 and len(spans) == 1 else 1
        for start in range(0, len(self._metric_codes), at_once):
            codes = self._metric_codes[start : start + at_once]
            for span in spans:
                check_cancelled()
                yield from self._span_of(codes, start_us, end_us, span)

    def _span_of(
        self, metric_codes: Sequence[int], start_us: int, end_us: int, span: SegmentSpan
    ) -> Iterator[PointColumns]:
        start_us, end_us = max(start_us, span.days[0] * DAY_US), min(end_us, span.days[1] * DAY_US)
        days = start_us // DAY_US, (end_us - 1) // DAY_US
        # Times are read with all else, or if few days are cut, of these alone.
        cut_days = () if self._wanted.times else self._cut_days(start_us, end_us)
        with_times = self._wanted.times or len(cut_days) > (days[1] - days[0]) // 2
        found = self._read(metric_codes, self._kinds(with_times), days, span)
        for day in () if with_times else cut_days:
            times = self._read(metric_codes, (Kind.TIME,), (day, day), span)
            for code, segments in found.items():
                _add_times(segments, day, times.get(code, {}))
        for code, segments in found.items():
            distributions = self._distributions(code, days, span)
            for points in points_of_segments(
                code, segments, distributions, (start_us, end_us), self._wanted.bounds_us
            ):
                yield from self._narrowed(points, start_us, end_us)

    def _cut_days(self, start_us: int, end_us: int) -> Sequence[int]:
        """Return the days that an end of the range or a bound lies within."""
        cuts = np.array([start_us, end_us, *self._wanted.bounds_us], np.int64)
        days = cuts[cuts % DAY_US != 0] // DAY_US
        in_range = (days >= start_us // DAY_US) & (days <= (end_us - 1) // DAY_US)
        return sorted(set(days[in_range].tolist()))

    def _kinds(self, with_times: bool) -> tuple[Kind, ...]:
        matcher, wanted = self.matcher, self._wanted
        is_read = {
            Kind.TIME: with_times,
            Kind.VALUE: wanted.values,
            Kind.SERIES: wanted.label_sets or matcher.reads_label_sets,
            Kind.SESSION: wanted.sessions or matcher.reads_sessions,
        }
        return tuple(kind for kind in Kind if is_read[kind])

    def _read(
        self,
        metric_codes: Sequence[int],
        kinds: Sequence[Kind],
        days: tuple[int, int],
        span: SegmentSpan,
    ) -> dict[int, Segments]:
        """Read columns of the first to the last of these days."""
        snapshot, (first, last) = self._snapshot, days
        return read_segments(
            snapshot.connection,
            snapshot.organization_id,
            metric_codes,
            kinds,
            (first, last + 1),
            after_part=span.after_part,
            before_part=span.before_part,
        )

    def _distributions(
        self, metric_code: int, days: tuple[int, int], span: SegmentSpan
    ) -> dict[tuple[int, int], Distributions]:
        snapshot, (first, last) = self._snapshot, days
        if not self._wanted.distributions or metric_code not in snapshot.metrics.distributed:
            return {}
        return read_distributions(
            snapshot.connection,
            snapshot.organization_id,
            metric_code,
            (first, last + 1),
            after_part=span.after_part,
            before_part=span.before_part,
        )

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
            metric_codes=codes if isinstance(codes, int) else codes.take(chosen),
            values=points.values.take(chosen),
            times_us=None if times_us is None else times_us.take(chosen),
            label_sets=None if points.label_sets is None else points.label_sets.take(chosen),
            sessions=None if points.sessions is None else points.sessions.take(chosen),
            bounds_us=(first_us, last_us),
            distributions=points.distributions
            and points.distributions.taken(chosen, len(points.values)),
        )
