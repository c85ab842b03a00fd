"""Gathers sums, counts, minima and maxima from rollups, and from the points beside them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.questions import GroupedQuery, Selection
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.ranges import Periods
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array
from vumeter_server.custom_metrics.sqlite.query.day_spans import DaySpan
from vumeter_server.custom_metrics.sqlite.query.gathered_points import bucket_of
from vumeter_server.custom_metrics.sqlite.query.grouped_plan import SourcePlan
from vumeter_server.custom_metrics.sqlite.query.grouping import Grouping
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter, matching_labels
from vumeter_server.custom_metrics.sqlite.query.plan import Source
from vumeter_server.custom_metrics.sqlite.query.point_columns import PointColumns
from vumeter_server.custom_metrics.sqlite.query.scan import Scan, Wanted
from vumeter_server.custom_metrics.sqlite.query.summed_cells import GatheredSums
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.sqlite.rollups.building import sum_by
from vumeter_server.custom_metrics.sqlite.rollups.intervals import (
    CELL_US,
    of_matrix,
    read_extremes,
)
from vumeter_server.sqlite import check_cancelled

Integers = npt.NDArray[np.int64]


def gather_sums(
    snapshot: Snapshot,
    cache: OrganizationCache,
    query: GroupedQuery,
    plan: SourcePlan,
    grouping: Grouping,
) -> GatheredSums | None:
    """Gather what the source of a query needs.

    None if that are minima or maxima and an earlier version wrote some of the rollups: then all has
    to come from points.
    """
    return _Gathering(snapshot, cache, query, plan, grouping).run()


class _Gathering:
    def __init__(
        self,
        snapshot: Snapshot,
        cache: OrganizationCache,
        query: GroupedQuery,
        plan: SourcePlan,
        grouping: Grouping,
    ) -> None:
        self._snapshot = snapshot
        self._cache = cache
        self._plan = plan
        self._grouping = grouping
        self._bounds_us = np.array(query.bounds_us, np.int64)
        self._code = -1 if plan.code is None else plan.code
        self._matching = PointFilter(snapshot, plan.matchers)
        self._buckets: list[Integers] = [np.empty(0, np.int64)]
        self._groups: list[Integers] = [np.empty(0, np.int64)]
        self._sums: list[ExactSums] = []
        self._extremes: list[Extremes] = []
        # Whether a rollup was met that an earlier version wrote, without minima and maxima.
        self._lacks_extremes = False

    def run(self) -> GatheredSums | None:
        if not self._matching.matches_nothing:
            match self._plan.source:
                case Source.INTERVALS:
                    self._add_intervals()
                case Source.LABEL_ROLLUPS:
                    self._add_label_rollups()
                    self._add_edges()
                case Source.COMPACTED:
                    for span in self._plan.days:
                        self._add_compacted(span)
                    self._add_edges()
                case _:
                    pass
        if self._lacks_extremes:
            return None
        needs_extremes = self._plan.needs_extremes
        return GatheredSums(
            buckets=np.concatenate(self._buckets),
            groups=np.concatenate(self._groups),
            sums=ExactSums.joined(self._sums),
            extremes=Extremes.joined(self._extremes) if needs_extremes else None,
        )

    def _add(
        self, buckets: Integers, groups: Integers, sums: ExactSums, extremes: Extremes | None
    ) -> None:
        if self._plan.needs_extremes:
            if extremes is None:
                self._lacks_extremes = True
                return
            self._extremes.append(extremes)
        self._buckets.append(buckets)
        self._groups.append(groups)
        self._sums.append(sums)

    def _add_points(self, found: Iterable[PointColumns]) -> None:
        for points in found:
            check_cancelled()
            spread = max(self._grouping.groups, 1)
            keys = bucket_of(points, self._bounds_us) * spread + self._grouping.group_of(points)
            distinct, sums, extremes = sum_by(
                np.broadcast_to(keys, len(points.values)), points.values
            )
            self._add(distinct // spread, distinct % spread, sums, extremes)

    def _scan(self, *, times: bool = False) -> Scan:
        bounds_us = self._bounds_us
        return Scan(
            self._snapshot,
            Selection(start_us=int(bounds_us[0]), end_us=int(bounds_us[-1])),
            [self._code],
            Wanted(
                times=times,
                label_sets=self._grouping.of_label_set is not None,
                bounds_us=bounds_us[1:-1].tolist(),
            ),
            self._matching,
        )

    def _add_edges(self) -> None:
        """Add the points outside of the whole days, and the head."""
        if self._lacks_extremes:
            return
        scan = self._scan()
        for edge in self._plan.edges:
            self._add_points(scan.days(edge.start_us, edge.end_us))
        self._add_points(scan.head())

    def _add_label_rollups(self) -> None:
        spans, label = self._plan.days, self._plan.label or ""
        first, end = spans[0].first, spans[-1].end
        found = self._cache.label_sums(self._snapshot, label, first, end)
        bucket_of_day = np.full(end - first, -1, np.int64)
        for span in spans:
            bucket_of_day[span.first - first : span.end - first] = span.period
        entries = np.flatnonzero(found.metrics == self._code)
        buckets = bucket_of_day[found.days[entries] - first]
        labels = found.labels[entries]
        chosen = buckets >= 0
        for matcher in self._plan.matchers:
            chosen &= matching_labels(self._snapshot, matcher, labels - 1)
        entries, buckets, labels = entries[chosen], buckets[chosen], labels[chosen]
        groups = np.zeros(len(entries), np.int64)
        if self._grouping.of_label_set is not None:
            groups = self._grouping.group_of_label()[labels]
        extremes = None if found.extremes is None else found.extremes.taken(entries)
        self._add(buckets, groups, found.sums.taken(entries), extremes)

    def _add_compacted(self, span: DaySpan) -> None:
        if self._lacks_extremes:
            return
        snapshot = self._snapshot
        connection, organization_id = snapshot.connection, snapshot.organization_id
        cover = compacted.cover(connection, organization_id, span.first, span.end)
        mask, group_of_label_set = self._matching.label_set_mask, self._grouping.of_label_set
        for rollup in cover.rollups:
            check_cancelled()
            found = compacted.read(connection, organization_id, rollup, self._code)
            if found is None:
                continue
            label_sets, sums, extremes = found
            if mask is not None:
                chosen = np.flatnonzero(mask[label_sets])
                label_sets, sums = label_sets[chosen], sums.taken(chosen)
                extremes = None if extremes is None else extremes.taken(chosen)
            groups = np.zeros(len(label_sets), np.int64)
            if group_of_label_set is not None:
                groups = group_of_label_set[label_sets].astype(np.int64)
            self._add(np.full(len(label_sets), span.period), groups, sums, extremes)
        if self._lacks_extremes:
            return
        scan = self._scan()
        for first, end, part in cover.pieces:
            self._add_points(scan.days(first * DAY_US, end * DAY_US, after_part=part))

    def _add_intervals(self) -> None:
        periods = self._plan.periods
        if periods is None:
            raise ValueError("a plan of intervals has periods")
        cube = self._cache.sums(self._snapshot, (self._code,), periods)
        sums = of_matrix(cube[0])
        buckets = np.flatnonzero(sums.counts)
        found = self._extremes_of(periods) if self._plan.needs_extremes else None
        extremes = None if found is None else found.taken(buckets)
        self._add(buckets, np.zeros(len(buckets), np.int64), sums.taken(buckets), extremes)

    def _extremes_of(self, periods: Periods) -> Extremes | None:
        """Return the minima and maxima of each bucket; None if a rollup has none.

        An interval that a bound lies in belongs to no bucket: its points do.
        """
        bounds_us, cut = self._bounds_us, np.array(periods.cut_intervals, np.int64)
        whole = self._whole_intervals(cut)
        if whole is None:
            return None
        cells, minima, maxima = whole
        buckets = [np.searchsorted(bounds_us, cells * CELL_US, "right") - 1]
        smallest, greatest = [minima], [maxima]
        scan = self._scan(times=True)
        for points, is_flushed in (
            *((each, True) for day in periods.cut_days for each in self._day(scan, day)),
            *((each, False) for each in scan.head()),
        ):
            if points.times_us is None:
                raise ValueError("times were asked for")
            chosen: Array | slice = slice(None)
            if is_flushed:
                chosen = np.isin(points.times_us // CELL_US, cut)
            values = points.values[chosen].astype(np.float64)
            buckets.append(np.searchsorted(bounds_us, points.times_us[chosen], "right") - 1)
            smallest.append(values)
            greatest.append(values)
        return Extremes.of(
            np.concatenate(buckets),
            np.concatenate(smallest),
            np.concatenate(greatest),
            len(bounds_us) - 1,
        )

    def _day(self, scan: Scan, day: int) -> Iterable[PointColumns]:
        start_us, end_us = (int(self._bounds_us[end]) for end in (0, -1))
        return scan.days(max(day * DAY_US, start_us), min((day + 1) * DAY_US, end_us))

    def _whole_intervals(self, cut: Integers) -> tuple[Integers, Array, Array] | None:
        """Return the intervals of flushed points that no bound cuts, with minima and maxima."""
        first, end = int(self._bounds_us[0]), int(self._bounds_us[-1])
        found = read_extremes(
            self._snapshot.connection,
            self._snapshot.organization_id,
            self._code,
            (first // DAY_US, -(-end // DAY_US)),
        )
        if found is None:
            return None
        cells, extremes = found
        whole = (cells * CELL_US >= first) & ((cells + 1) * CELL_US <= end) & ~np.isin(cells, cut)
        return cells[whole], extremes.minima[whole], extremes.maxima[whole]
