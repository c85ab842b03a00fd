"""Sums by metric, group and period, as their plan says."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import check_cells
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.questions import SumQuery, Sums
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot, View, with_transaction
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import NO_CODE
from vumeter_server.custom_metrics.sqlite.query.aggregator import Aggregator
from vumeter_server.custom_metrics.sqlite.query.day_spans import DaySpan
from vumeter_server.custom_metrics.sqlite.query.grouping import Grouping
from vumeter_server.custom_metrics.sqlite.query.interval_sums import (
    no_sums,
    sums_of_all,
    sums_of_some,
)
from vumeter_server.custom_metrics.sqlite.query.plan import Plan, Source
from vumeter_server.custom_metrics.sqlite.query.point_columns import PointColumns
from vumeter_server.custom_metrics.sqlite.query.scan import Scan, Wanted
from vumeter_server.custom_metrics.sqlite.query.sum_questions import (
    bounds_of,
    codes_of,
    labels_of,
    names_of,
)
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.sqlite import check_cancelled

Integers = npt.NDArray[np.int64]


def answer_sums(query: SumQuery, plan: Plan, view: View, cache: OrganizationCache) -> Sums:
    """Answer `query`: one row for each period and group with a point of a metric asked for."""
    names = names_of(query, view)
    codes = codes_of(query, view)
    if plan.source is Source.NOTHING or not codes:
        return no_sums([] if query.metric_names is None else names)
    if plan.periods is not None:
        cube = cache.sums(view, codes, plan.periods, plan.found)
        if query.metric_names is None:
            return sums_of_all(cube, names)
        known = [name for name in names if name in view.metrics.codes]
        return sums_of_some(cube, known, names)
    summing = _Summing(with_transaction(view), cache, query, plan)
    summing.run()
    table = summing.aggregator.table(summing.width)
    sums = table.sums
    if query.metric_names is None:
        present = np.flatnonzero(table.present).tolist()
        sums = sums[:, present]
        names = [names[index] for index in present]
    check_cells(len(table.rows), len(names))
    return Sums(
        metric_names=names,
        periods=table.rows // summing.grouping.groups,
        groups=summing.grouping.labels(table.rows % summing.grouping.groups),
        sums=sums[:, : len(names)],
        totals=table.totals,
    )


class _Summing:
    """Sums a query's points by (period, group, metric), which are one number for `aggregator`."""

    def __init__(
        self, snapshot: Snapshot, cache: OrganizationCache, query: SumQuery, plan: Plan
    ) -> None:
        names = names_of(query, snapshot)
        self.snapshot = snapshot
        self.cache = cache
        self.plan = plan
        self.selection = query.selection
        self.codes = list(codes_of(query, snapshot))
        self.width = max(len(names), 1)
        # The column of each metric, -1 for those that are not asked for.
        self.columns = np.full(max(snapshot.state.metrics, 1), -1, np.int64)
        known = snapshot.metrics.codes
        self.columns[self.codes] = [index for index, name in enumerate(names) if name in known]
        self.grouping = Grouping.of(snapshot, query.group_by)
        self.bounds = bounds_of(query)
        self.labels = labels_of(query)
        cells = (len(self.bounds) - 1) * self.grouping.groups * self.width
        self.aggregator = Aggregator(cells)
        wanted = Wanted(
            label_sets=self.grouping.of_label_set is not None,
            sessions=self.grouping.by_session,
            bounds_us=self.bounds[1:-1].tolist(),
        )
        self.scan = Scan(snapshot, query.selection, self.codes, wanted)

    def run(self) -> None:
        """Sum everything that was asked for."""
        if self.scan.matcher.matches_nothing:
            return
        match self.plan.source:
            case Source.LABEL_ROLLUPS:
                (key,) = self.labels
                self._sum_label_rollups(key)
                self._sum_edges()
            case Source.COMPACTED:
                (span,) = self.plan.days
                self._sum_compacted(span)
                self._sum_edges()
            case _:
                self._add_points(self.scan.all())

    def _sum_edges(self) -> None:
        """Sum the points outside of the whole days, and the head."""
        for edge in self.plan.edges_of_days:
            self._add_points(self.scan.days(edge.start_us, edge.end_us))
        self._add_points(self.scan.head())

    def _sum_label_rollups(self, key: str) -> None:
        spans = self.plan.days
        group_of_label = self._groups_of_label(key)
        found = self.cache.label_sums(self.snapshot, key, spans[0].first, spans[-1].end)
        periods: Integers | int = 0
        groups = group_of_label[found.labels]
        if len(self.bounds) > 2:
            period_of_day = np.full(spans[-1].end - spans[0].first, -1, np.int64)
            for span in spans:
                days = slice(span.first - spans[0].first, span.end - spans[0].first)
                period_of_day[days] = span.period
            periods = period_of_day[found.days - spans[0].first]
            groups = np.where(periods >= 0, groups, -1)
        self._add_sums(periods, groups, found.metrics, found.sums)

    def _groups_of_label(self, key: str) -> Integers:
        """Return the group of each interned label of `key` plus 1, -1 where it is not asked for."""
        codes = self.snapshot.labels.codes
        filters = [value for label, value in self.selection.filters if label == key]
        if self.grouping.of_label_set is not None:
            groups = self.grouping.group_of_label()
        else:
            groups = np.zeros(len(self.snapshot.labels.texts) + 1, np.int64)
        for value in filters:
            wanted = codes[key, value] + 1 if value else NO_CODE + 1
            kept = groups[wanted]
            groups[:] = -1
            groups[wanted] = kept
        return groups

    def _sum_compacted(self, span: DaySpan) -> None:
        snapshot = self.snapshot
        cover = compacted.cover(snapshot.connection, snapshot.organization_id, span.first, span.end)
        group_of_label_set = self.grouping.of_label_set
        mask = self.scan.matcher.label_set_mask
        for metric in self.codes:
            check_cancelled()
            keys: list[Array] = []
            parts: list[ExactSums] = []
            for rollup in cover.rollups:
                found = compacted.read(
                    snapshot.connection, snapshot.organization_id, rollup, metric
                )
                if found is None:
                    continue
                label_sets, sums, _ = found
                if mask is not None:
                    chosen = np.flatnonzero(mask[label_sets])
                    label_sets, sums = label_sets[chosen], sums.taken(chosen)
                keys.append(label_sets)
                parts.append(sums)
            if keys:
                label_sets = np.concatenate(keys)
                rows = (
                    label_sets * 0 if group_of_label_set is None else group_of_label_set[label_sets]
                )
                self.aggregator.add_sums(
                    rows * self.width + self.columns[metric], ExactSums.joined(parts)
                )
        for first, end, part in cover.pieces:
            self._add_points(self.scan.days(first * DAY_US, end * DAY_US, after_part=part))

    def _add_sums(
        self, periods: Integers | int, groups: Array, metrics: Array, sums: ExactSums
    ) -> None:
        """Add sums of metrics and groups; groups of -1 and metrics not asked for are left out."""
        columns = self.columns[metrics]
        keys = (periods * self.grouping.groups + groups) * self.width + columns
        wanted = (columns >= 0) & (groups >= 0)
        if not wanted.all():
            chosen = np.flatnonzero(wanted)
            keys, sums = keys[chosen], sums.taken(chosen)
        self.aggregator.add_sums(keys, sums)

    def _add_points(self, found: Iterable[PointColumns]) -> None:
        for points in found:
            rows = self._period_of(points) * self.grouping.groups + self.grouping.group_of(points)
            keys = rows * self.width + self.columns[points.metric_codes]
            self.aggregator.add(np.broadcast_to(keys, len(points.values)), points.values)

    def _period_of(self, points: PointColumns) -> Array | int:
        if len(self.bounds) == 2:
            return 0
        first, last = np.searchsorted(self.bounds, points.bounds_us, "right") - 1
        if first == last or points.times_us is None:
            return int(first)
        periods: Array = np.searchsorted(self.bounds, points.times_us, "right") - 1
        return periods
