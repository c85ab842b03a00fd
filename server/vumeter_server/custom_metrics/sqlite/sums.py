"""Sums by metric, group and period, from scanned points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.columns import Array
from vumeter_server.custom_metrics.sqlite.dictionaries import NO_CODE
from vumeter_server.custom_metrics.sqlite.scan import SESSION, Points, Wanted, scan
from vumeter_server.custom_metrics.sqlite.snapshots import Snapshot
from vumeter_server.custom_metrics.store import SumQuery, Sums, check_cells
from vumeter_server.storage import check_cancelled

# Points are summed in lots of this many, so that memory is bounded and each pass is long enough.
LOT = 1 << 20
# Up to this many possible cells are summed in place; more are found by sorting.
MAX_DENSE_CELLS = 1 << 21


def query_sums(snapshot: Snapshot, query: SumQuery) -> Sums:
    """Answer `query`: one row for each period and group with a point of a metric asked for."""
    names = _metrics_asked_for(snapshot, query.metric_names)
    codes = [snapshot.metrics.codes[name] for name in names if name in snapshot.metrics.codes]
    slots = np.full(max(snapshot.state.metrics, 1), -1, np.int64)
    slots[codes] = [index for index, name in enumerate(names) if name in snapshot.metrics.codes]
    grouping = Grouping.of(snapshot, query.group_by)
    bounds = np.array(query.bounds_us if query.bounds_us is not None else (), np.int64)
    periods = max(len(bounds) - 1, 1)
    keyed = KeyedSums(periods * grouping.groups * len(names))
    wanted = Wanted(
        series=grouping.of_series is not None,
        sessions=grouping.by_session,
        bounds_us=bounds[1:-1].tolist(),
    )
    for points in scan(snapshot, query.selection, codes, wanted):
        rows = _period_of(points, bounds) * grouping.groups + grouping.group_of(points)
        slot = slots[points.metric_codes]
        keys = np.broadcast_to(rows * len(names) + slot, len(points.values))
        keyed.add(keys, points.values)
    cells, sums = keyed.result()
    found: npt.NDArray[np.int64]
    found, row_of_cell = np.unique(cells // max(len(names), 1), return_inverse=True)
    present = np.zeros(len(names), np.bool_)
    present[cells % max(len(names), 1)] = True
    check_cells(len(found), len(names) if query.metric_names is not None else int(present.sum()))
    table = np.zeros((len(found), len(names)))
    table[row_of_cell, cells % max(len(names), 1)] = sums.totals()
    groups = grouping.labels(found % grouping.groups)
    answer = Sums(
        metric_names=names,
        periods=found // grouping.groups,
        groups=groups,
        sums=table,
        totals=_row_totals(sums, row_of_cell, len(found)),
    )
    return answer if query.metric_names is not None else _only_present(answer, present)


def _metrics_asked_for(snapshot: Snapshot, metric_names: Sequence[str] | None) -> list[str]:
    return sorted(snapshot.metrics.codes) if metric_names is None else list(metric_names)


def _period_of(points: Points, bounds: npt.NDArray[np.int64]) -> Array | int:
    if len(bounds) <= 2:
        return 0
    first, last = np.searchsorted(bounds, points.bounds_us, "right") - 1
    if first == last or points.times_us is None:
        return int(first)
    return np.searchsorted(bounds, points.times_us, "right") - 1


def _row_totals(
    sums: ExactSums, row_of_cell: npt.NDArray[np.intp], rows: int
) -> npt.NDArray[np.float64]:
    by_row = ExactSums(rows)
    by_row.merge(row_of_cell, sums)
    return by_row.totals()


def _only_present(answer: Sums, present: npt.NDArray[np.bool_]) -> Sums:
    kept = np.flatnonzero(present).tolist()
    return Sums(
        metric_names=[answer.metric_names[index] for index in kept],
        periods=answer.periods,
        groups=answer.groups,
        sums=answer.sums[:, kept],
        totals=answer.totals,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Grouping:
    """Numbers the groups of a query: by the labels of a point's series, and by its session.

    Attributes:
        values: for each group by series, its label values.
        of_series: the group of each series; None if there is just one.
        by_session: whether sessions make further groups.
        session_position: where the session stands among the labels.
    """

    snapshot: Snapshot
    values: list[tuple[str, ...]]
    of_series: npt.NDArray[np.int64] | None
    by_session: bool
    session_position: int

    @classmethod
    def of(cls, snapshot: Snapshot, group_by: Sequence[str]) -> Grouping:
        """Number the groups that `group_by` makes of the snapshot's series."""
        keys = [key for key in group_by if key != SESSION]
        by_session = len(keys) < len(group_by)
        values: list[tuple[str, ...]] = [()]
        of_series: npt.NDArray[np.int64] | None = None
        if keys:
            columns = np.stack([snapshot.labels.column(key) for key in keys])
            of_series, members = _number(columns)
            texts = snapshot.labels.texts
            values = [
                tuple("" if code == NO_CODE else texts[code] for code in member)
                for member in members
            ]
        return cls(
            snapshot=snapshot,
            values=values,
            of_series=of_series,
            by_session=by_session,
            session_position=list(group_by).index(SESSION) if by_session else 0,
        )

    @property
    def groups(self) -> int:
        """How many groups there can be."""
        sessions = self.snapshot.state.sessions + 1 if self.by_session else 1
        return max(len(self.values), 1) * sessions

    def group_of(self, points: Points) -> Array | int:
        """Return the group of each point, or of all."""
        group: Array | int = 0
        if self.of_series is not None and points.series is not None:
            group = self.of_series[points.series]
        if self.by_session and points.sessions is not None:
            group = group * (self.snapshot.state.sessions + 1) + points.sessions + 1
        return group

    def labels(self, groups: npt.NDArray[np.int64]) -> list[tuple[str, ...]]:
        """Return the label values of groups."""
        if not self.by_session:
            return [self.values[group] for group in groups.tolist()]
        sessions = self.snapshot.state.sessions + 1
        names = _session_names(self.snapshot, np.unique(groups % sessions - 1).tolist())
        position = self.session_position
        labels = []
        for group in groups.tolist():
            values = self.values[group // sessions]
            name = names[group % sessions - 1]
            labels.append((*values[:position], name, *values[position:]))
        return labels


def _number(
    columns: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int64], list[list[int]]]:
    """Number the distinct columns of a matrix; return each column's number, and the members."""
    numbers = np.zeros(columns.shape[1], np.int64)
    for column in columns:
        codes, code_numbers = np.unique(column, return_inverse=True)
        # Renumbering after each label keeps the product of the counts from overflowing.
        numbers = np.unique(numbers * len(codes) + code_numbers, return_inverse=True)[1]
    _, first = np.unique(numbers, return_index=True)
    return numbers, columns[:, first].T.tolist()


def _session_names(snapshot: Snapshot, codes: list[int]) -> dict[int, str]:
    names = {NO_CODE: ""}
    select = "SELECT name FROM sessions WHERE organization_id = ? AND session_code = ?"
    for index, code in enumerate(codes):
        if index % 1000 == 0:
            check_cancelled()
        if code != NO_CODE:
            row = snapshot.connection.execute(select, (snapshot.organization_id, code)).fetchone()
            names[code] = row[0]
    return names


class KeyedSums:
    """Sums by key, of which few or many may occur among `cells` possible ones."""

    def __init__(self, cells: int) -> None:
        self._dense = ExactSums(cells) if cells <= MAX_DENSE_CELLS else None
        self._keys: list[Array] = []
        self._values: list[Array] = []
        self._waiting = 0
        self._partial: list[tuple[npt.NDArray[np.int64], ExactSums]] = []

    def add(self, keys: Array, values: Array) -> None:
        """Add values to the sums of their keys."""
        self._keys.append(keys)
        self._values.append(values)
        self._waiting += len(values)
        if self._waiting >= LOT:
            self._sum_waiting()

    def result(self) -> tuple[npt.NDArray[np.int64], ExactSums]:
        """Return the keys that occurred, in ascending order, and their sums."""
        self._sum_waiting()
        if self._dense is not None:
            keys = np.flatnonzero(self._dense.counts)
            return keys, self._dense.taken(keys)
        if len(self._partial) != 1:
            self._partial = [_merge(self._partial)]
        return self._partial[0]

    def _sum_waiting(self) -> None:
        if not self._waiting:
            return
        check_cancelled()
        keys, values = np.concatenate(self._keys), np.concatenate(self._values)
        self._keys, self._values, self._waiting = [], [], 0
        if self._dense is not None:
            self._dense.add(keys, values)
            return
        distinct, cells = np.unique(keys, return_inverse=True)
        sums = ExactSums(len(distinct))
        sums.add(cells, values)
        self._partial.append((distinct, sums))


def _merge(
    partial: list[tuple[npt.NDArray[np.int64], ExactSums]],
) -> tuple[npt.NDArray[np.int64], ExactSums]:
    if not partial:
        return np.empty(0, np.int64), ExactSums(0)
    keys = np.unique(np.concatenate([distinct for distinct, _ in partial]))
    merged = ExactSums(len(keys))
    for distinct, sums in partial:
        merged.merge(np.searchsorted(keys, distinct), sums)
    return keys, merged
