"""Sums by metric, group and period: from sums made before where there are some, else from points.

What a query's filters and grouping are about decides:

- no label: whole cells of 15 minutes come from the metrics' totals;
- one label: whole days come from the days' sums by label value;
- several labels: whole days come from blocks of days, summed by series;
- sessions: everything comes from the points.

What remains, such as the ends of a range within a cell or a day, comes from the points, as does the
log. Every way adds up exactly the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import check_cells
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import NO_CODE
from vumeter_server.custom_metrics.sqlite.query.aggregator import KeyedSums
from vumeter_server.custom_metrics.sqlite.query.aligned import is_of_whole_cells, query_whole_cells
from vumeter_server.custom_metrics.sqlite.query.grouping import Grouping
from vumeter_server.custom_metrics.sqlite.query.scan import SESSION, Points, Scan, Wanted
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, of_matrix
from vumeter_server.custom_metrics.store import SumQuery, Sums
from vumeter_server.sqlite import check_cancelled

Integers = npt.NDArray[np.int64]


def query_sums(snapshot: Snapshot, query: SumQuery) -> Sums:
    """Answer `query`: one row for each period and group with a point of a metric asked for."""
    if is_of_whole_cells(query):
        return query_whole_cells(snapshot, query)
    names = (
        sorted(snapshot.metrics.codes) if query.metric_names is None else list(query.metric_names)
    )
    summing = _Summing(snapshot, query, names)
    if summing.codes and query.selection.start_us < query.selection.end_us:
        summing.run()
    table = summing.keyed.table(summing.width)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Span:
    """Whole days [first, end) of one period."""

    first: int
    end: int
    period: int


class _Summing:
    """Sums a query's points into `keyed`, by (period, group, metric) in one number."""

    def __init__(self, snapshot: Snapshot, query: SumQuery, names: Sequence[str]) -> None:
        codes = snapshot.metrics.codes
        self.snapshot = snapshot
        self.selection = query.selection
        self.codes = [codes[name] for name in names if name in codes]
        self.width = max(len(names), 1)
        self.slots = np.full(max(snapshot.state.metrics, 1), -1, np.int64)
        self.slots[self.codes] = [index for index, name in enumerate(names) if name in codes]
        self.grouping = Grouping.of(snapshot, query.group_by)
        self.bounds = np.array(
            query.bounds_us or (query.selection.start_us, query.selection.end_us), np.int64
        )
        self.labels = {key for key, _ in query.selection.filters} | set(query.group_by)
        self.keyed = KeyedSums((len(self.bounds) - 1) * self.grouping.groups * self.width)
        wanted = Wanted(
            series=self.grouping.of_series is not None,
            sessions=self.grouping.by_session,
            bounds_us=self.bounds[1:-1].tolist(),
        )
        self.scan = Scan(snapshot, query.selection, self.codes, wanted)

    def run(self) -> None:
        """Sum everything that was asked for."""
        if self.scan.matcher.matches_nothing:
            return
        if not self.labels and self._is_made_of_cells():
            self._sum_cells()
            return
        spans = self._whole_days()
        if SESSION in self.labels or not self.labels or not spans:
            self._add_each(self.scan.all())
        elif len(self.labels) == 1:
            self._sum_labels(next(iter(self.labels)), spans)
        elif len(self.bounds) == 2:
            self._sum_blocks(spans[0])
        else:
            self._add_each(self.scan.all())

    def _sum_cells(self) -> None:
        start_us, end_us = self.selection.start_us, self.selection.end_us
        cells = self.bounds // CELL_US
        cells[0] = -(-start_us // CELL_US)
        totals = self.snapshot.totals_between(self.codes, cells)
        table = np.zeros((totals.shape[1], len(cells) - 1, self.width))
        table[:, :, self.slots[self.codes]] = totals.transpose(1, 2, 0)
        self.keyed.add_all(of_matrix(table.reshape(len(table), -1)))
        edges = [(start_us, int(cells[0]) * CELL_US), (int(cells[-1]) * CELL_US, end_us)]
        edges = [(start, end) for start, end in edges if start < end]
        for start, end in edges:
            self._add_each(self.scan.days(start, end))
        if edges:
            self._add_each(self.scan.log(edges))

    def _is_made_of_cells(self) -> bool:
        """Whether every bound between periods, and some time within the range, is whole cells."""
        inner = self.bounds[1:-1]
        start_us, end_us = self.selection.start_us, self.selection.end_us
        return -(-start_us // CELL_US) <= end_us // CELL_US and not (inner % CELL_US).any()

    def _whole_days(self) -> list[_Span]:
        firsts, ends = -(-self.bounds[:-1] // DAY_US), self.bounds[1:] // DAY_US
        periods = np.flatnonzero(firsts < ends)
        return [
            _Span(first=first, end=end, period=period)
            for first, end, period in zip(
                firsts[periods].tolist(), ends[periods].tolist(), periods.tolist(), strict=True
            )
        ]

    def _sum_outside(self, spans: list[_Span]) -> None:
        """Sum the points outside of the whole days, and the log."""
        start_us = self.selection.start_us
        for span in spans:
            self._add_each(self.scan.days(start_us, span.first * DAY_US))
            start_us = span.end * DAY_US
        self._add_each(self.scan.days(start_us, self.selection.end_us))
        self._add_each(self.scan.log())

    def _sum_labels(self, key: str, spans: list[_Span]) -> None:
        group_of_label = self._groups_of_label(key)
        found = self.snapshot.label_sums(key, spans[0].first, spans[-1].end)
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
        self._sum_outside(spans)

    def _groups_of_label(self, key: str) -> Integers:
        """Return the group of each label code of `key` plus 1, -1 where it is not asked for."""
        codes = self.snapshot.labels.codes
        filters = [value for label, value in self.selection.filters if label == key]
        if self.grouping.of_series is not None:
            groups = self.grouping.group_of_label()
        else:
            groups = np.zeros(len(self.snapshot.labels.texts) + 1, np.int64)
        for value in filters:
            wanted = codes[key, value] + 1 if value else NO_CODE + 1
            kept = groups[wanted]
            groups[:] = -1
            groups[wanted] = kept
        return groups

    def _sum_blocks(self, span: _Span) -> None:
        snapshot = self.snapshot
        planned = compacted.plan(
            snapshot.connection, snapshot.organization_id, span.first, span.end
        )
        group_of_series = self.grouping.of_series
        mask = self.scan.matcher.series_mask
        for metric in self.codes:
            check_cancelled()
            keys: list[Array] = []
            parts: list[ExactSums] = []
            for block in planned.blocks:
                found = compacted.read(snapshot, block, metric)
                if found is None:
                    continue
                series, sums = found
                if mask is not None:
                    chosen = np.flatnonzero(mask[series])
                    series, sums = series[chosen], sums.taken(chosen)
                keys.append(series)
                parts.append(sums)
            if keys:
                series = np.concatenate(keys)
                rows = group_of_series[series] if group_of_series is not None else series * 0
                self.keyed.add_sums(rows * self.width + self.slots[metric], ExactSums.joined(parts))
        for first, end, part in planned.pieces:
            self._add_each(self.scan.days(first * DAY_US, end * DAY_US, after_part=part))
        self._sum_outside([span])

    def _add_sums(
        self, periods: Integers | int, groups: Array, metrics: Array, sums: ExactSums
    ) -> None:
        """Add sums of metrics and groups; groups of -1 and metrics not asked for are left out."""
        slots = self.slots[metrics]
        keys = (periods * self.grouping.groups + groups) * self.width + slots
        wanted = (slots >= 0) & (groups >= 0)
        if not wanted.all():
            chosen = np.flatnonzero(wanted)
            keys, sums = keys[chosen], sums.taken(chosen)
        self.keyed.add_sums(keys, sums)

    def _add_each(self, found: Iterable[Points]) -> None:
        for points in found:
            rows = self._period_of(points) * self.grouping.groups + self.grouping.group_of(points)
            keys = rows * self.width + self.slots[points.metric_codes]
            self.keyed.add(np.broadcast_to(keys, len(points.values)), points.values)

    def _period_of(self, points: Points) -> Array | int:
        if len(self.bounds) == 2:
            return 0
        first, last = np.searchsorted(self.bounds, points.bounds_us, "right") - 1
        if first == last or points.times_us is None:
            return int(first)
        periods: Array = np.searchsorted(self.bounds, points.times_us, "right") - 1
        return periods
