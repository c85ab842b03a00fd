"""Reads the points of a selection, column by column, from the sealed days and from the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.columns import DAY_US, Array, Kind, decode
from vumeter_server.custom_metrics.sqlite.dictionaries import NO_CODE, find_session
from vumeter_server.custom_metrics.sqlite.snapshots import Snapshot
from vumeter_server.custom_metrics.store import Selection
from vumeter_server.storage import check_cancelled

SESSION = "session_id"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Points:
    """Some points of a selection, as columns of equal length.

    Attributes:
        metric_codes: one code for all, or one a point.
        values: the values.
        times_us: microseconds since the epoch; None if not asked for.
        series: series codes; None if not asked for.
        sessions: session codes, -1 for none; None if not asked for.
        bounds_us: the earliest and latest time that the points can have.
    """

    metric_codes: int | Array
    values: Array
    times_us: Array | None
    series: Array | None
    sessions: Array | None
    bounds_us: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which columns a query reads beside the values; `bounds_us` are instants that it cuts at."""

    times: bool = False
    series: bool = False
    sessions: bool = False
    bounds_us: Sequence[int] = ()


class Matcher:
    """Decides which points have all labels of a selection's filters."""

    def __init__(self, snapshot: Snapshot, selection: Selection) -> None:
        labels = snapshot.labels
        self.matches_nothing = False
        self.series_mask: npt.NDArray[np.bool_] | None = None
        self.session_code: int | None = None
        for key, value in selection.filters:
            if key == SESSION:
                self._match_session(snapshot, value)
                continue
            code = labels.codes.get((key, value), NO_CODE) if value else NO_CODE
            if value and code == NO_CODE:
                self.matches_nothing = True
                return
            mask = labels.column(key) == code
            self.series_mask = mask if self.series_mask is None else self.series_mask & mask
        if self.series_mask is not None and not self.series_mask.any():
            self.matches_nothing = True

    def _match_session(self, snapshot: Snapshot, name: str) -> None:
        if not name:
            self.session_code = NO_CODE
            return
        self.session_code = find_session(snapshot.connection, snapshot.organization_id, name)
        if self.session_code is None:
            self.matches_nothing = True

    def mask(self, series: Array | None, sessions: Array | None) -> npt.NDArray[np.bool_] | None:
        """Return which points match, None if all do."""
        mask: npt.NDArray[np.bool_] | None = None
        if self.series_mask is not None and series is not None:
            mask = self.series_mask[series]
        if self.session_code is not None and sessions is not None:
            of_session = sessions == self.session_code
            mask = of_session if mask is None else mask & of_session
        return mask


def scan(
    snapshot: Snapshot, selection: Selection, metric_codes: Sequence[int], wanted: Wanted
) -> Iterator[Points]:
    """Yield the points of `selection` of these metrics: sealed days in order, then the log.

    `times_us` is there where it was asked for, and where a bound of `wanted` lies within the
    `bounds_us` of the points.
    """
    matcher = Matcher(snapshot, selection)
    if matcher.matches_nothing or selection.start_us >= selection.end_us:
        return
    for metric_code in metric_codes:
        check_cancelled()
        yield from _scan_days(snapshot, selection, metric_code, wanted, matcher)
    yield from _scan_log(snapshot, selection, metric_codes, matcher)


def _scan_days(
    snapshot: Snapshot, selection: Selection, metric_code: int, wanted: Wanted, matcher: Matcher
) -> Iterator[Points]:
    first_day = selection.start_us // DAY_US
    last_day = (selection.end_us - 1) // DAY_US

    def read(
        kind: Kind, first: int = first_day, last: int = last_day
    ) -> dict[tuple[int, int], Array]:
        rows = snapshot.connection.execute(
            "SELECT day, part, column FROM metric_columns WHERE organization_id = ?"
            " AND metric_code = ? AND kind = ? AND day BETWEEN ? AND ? ORDER BY day, part",
            (snapshot.organization_id, metric_code, kind, first, last),
        )
        return {(day, part): decode(column) for day, part, column in rows}

    values = read(Kind.VALUE)
    if not values:
        return
    series = read(Kind.SERIES) if wanted.series or matcher.series_mask is not None else {}
    with_sessions = wanted.sessions or matcher.session_code is not None
    sessions = read(Kind.SESSION) if with_sessions else {}
    times = read(Kind.TIME) if wanted.times else {}
    cuts = np.array([selection.start_us, selection.end_us, *wanted.bounds_us], np.int64)
    cuts.sort()
    cut_days = set((cuts[cuts % DAY_US != 0] // DAY_US).tolist()) if not wanted.times else set()
    for day in sorted(cut_days & {day for day, _ in values}):
        times |= read(Kind.TIME, day, day)
    for (day, part), part_values in values.items():
        start_us = day * DAY_US
        part_times = times.get((day, part))
        points = Points(
            metric_codes=metric_code,
            values=part_values,
            times_us=None if part_times is None else part_times.astype(np.int64) + start_us,
            series=series.get((day, part)),
            # Sealed sessions are written plus 1, so that none is 0.
            sessions=sessions[day, part].astype(np.int64) - 1 if with_sessions else None,
            bounds_us=(start_us, start_us + DAY_US - 1),
        )
        yield from _narrowed(points, selection, matcher)


def _scan_log(
    snapshot: Snapshot, selection: Selection, metric_codes: Sequence[int], matcher: Matcher
) -> Iterator[Points]:
    log = snapshot.log
    if not len(log):
        return
    asked = np.zeros(snapshot.state.metrics, np.bool_)
    asked[list(metric_codes)] = True
    chosen = asked[log["metric"]]
    if not chosen.all():
        log = log[chosen]
    if not len(log):
        return
    times_us = log["time_us"]
    points = Points(
        metric_codes=log["metric"],
        values=log["value"],
        times_us=times_us,
        series=log["series"],
        sessions=log["session"],
        bounds_us=(int(times_us.min()), int(times_us.max())),
    )
    yield from _narrowed(points, selection, matcher)


def _narrowed(points: Points, selection: Selection, matcher: Matcher) -> Iterator[Points]:
    """Yield the points that are in the selection's range and match its filters."""
    mask = matcher.mask(points.series, points.sessions)
    first_us, last_us = points.bounds_us
    times_us = points.times_us
    if times_us is not None and not (selection.start_us <= first_us and last_us < selection.end_us):
        in_range = (times_us >= selection.start_us) & (times_us < selection.end_us)
        mask = in_range if mask is None else mask & in_range
        first_us, last_us = max(first_us, selection.start_us), min(last_us, selection.end_us - 1)
    if mask is None or mask.all():
        yield points
        return
    if not mask.any():
        return
    codes = points.metric_codes
    yield Points(
        metric_codes=codes if isinstance(codes, int) else codes[mask],
        values=points.values[mask],
        times_us=None if times_us is None else times_us[mask],
        series=None if points.series is None else points.series[mask],
        sessions=None if points.sessions is None else points.sessions[mask],
        bounds_us=(first_us, last_us),
    )
