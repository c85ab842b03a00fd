"""Uses of labels by metrics that no point has any more, once points are deleted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.label_index import use_numbers
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Kind
from vumeter_server.custom_metrics.sqlite.formats.segments import read_columns, segments_of
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

# So many days are read at once, before it is known whether any other has to be.
DAYS_AT_ONCE = 16

Integers = npt.NDArray[np.int64]


class Uses:
    """Label uses of the points that a deletion takes from days, and of those left on these days."""

    def __init__(self) -> None:
        self._lost = self._kept = np.empty(0, np.int64)

    def add(self, lost: Integers, kept: Integers) -> None:
        """Add those of a day, each in ascending order."""
        self._lost = _with(self._lost, lost)
        self._kept = _with(self._kept, kept)

    def gone(self) -> Integers:
        """Return those that no point of these days has any more."""
        return np.setdiff1d(self._lost, self._kept, assume_unique=True)


def _with(known: Integers, found: Integers) -> Integers:
    """Return what is in one of two ascending arrays; most of `found` is known."""
    places = known.searchsorted(found)
    is_known = np.zeros(len(found), np.bool_)
    within = places < len(known)
    is_known[within] = known[places[within]] == found[within]
    return np.insert(known, places[~is_known], found[~is_known])


def gone_uses(snapshot: Snapshot, of_days: Uses, days: Collection[int], last: int) -> list[int]:
    """Return the rows of `metric_uses` for those of some uses that no point has any more.

    Args:
        snapshot: where to look.
        of_days: uses of points deleted from `days`, and of those left there.
        days: the days that are written again: only later segments of them are looked into.
        last: the last number of the deletion.
    """
    uses = of_days.gone()
    if not len(uses):
        return []
    uses = np.setdiff1d(uses, snapshot.labels.uses_of(snapshot.head))
    by_day: dict[int, list[int]] = {}
    rewritten = set(days)
    for day, part in segments_of(snapshot.connection, snapshot.organization_id, 0, 2**62):
        if day not in rewritten or part > last:
            by_day.setdefault(day, []).append(part)
    # What was recorded last is most likely to have the same labels.
    last_first = sorted(by_day, reverse=True)
    for metric in np.unique(uses >> 48).tolist():
        for start in range(0, len(last_first), DAYS_AT_ONCE):
            if not (uses >> 48 == metric).any():
                break
            check_cancelled()
            chosen = last_first[start : start + DAYS_AT_ONCE]
            found = read_columns(
                snapshot.connection,
                snapshot.organization_id,
                metric,
                Kind.SERIES,
                (chosen[-1], chosen[0] + 1),
            )
            parts = [series for (day, part), series in found.items() if part in by_day.get(day, ())]
            if parts:
                label_sets = np.unique(np.concatenate(parts)).astype(np.int64)
                columns = {"metric": np.full(len(label_sets), metric), "series": label_sets}
                uses = np.setdiff1d(uses, snapshot.labels.uses_of(columns))
    return _rows_of_uses(snapshot, uses)


def _rows_of_uses(snapshot: Snapshot, uses: Integers) -> list[int]:
    if not len(uses):
        return []
    rows = np.array(
        snapshot.connection.execute(
            "SELECT use_code, metric_code, agent_code, label_code FROM metric_uses"
            " WHERE organization_id = ? AND deleted_by IS NULL",
            (snapshot.organization_id,),
        ).fetchall(),
        np.int64,
    ).reshape(-1, 4)
    numbers = use_numbers(rows[:, 1], rows[:, 2], rows[:, 3])
    codes: list[int] = rows[np.isin(numbers, uses), 0].tolist()
    return codes


def mark_uses(
    connection: sqlite3.Connection, organization_id: int, codes: Sequence[int], number: int
) -> None:
    """Say that a deletion takes some uses out, once it is applied."""
    connection.executemany(
        "UPDATE metric_uses SET deleted_by = ? WHERE organization_id = ? AND use_code = ?",
        [(number, organization_id, code) for code in codes],
    )
