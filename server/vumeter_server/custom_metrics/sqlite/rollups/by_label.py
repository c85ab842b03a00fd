"""Sums of flushed days by metric and value of one label, kept as arrays over all days.

Which parts of days there are is read with every query; what was read of a part before is not read
again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_sums_and_extremes
from vumeter_server.sqlite.library import sqlite3

DayPart = tuple[int, int, int]
"""A day, the number of a part, and how often a part of that number was written."""
Entry = tuple[Array, Array, ExactSums, Extremes | None]
"""Metric codes, label codes plus 1 (0: without the label), and their sums, minima and maxima, of
one part of a day; None if it was written without minima and maxima."""

# A label with more entries than this over all days is read again for each query.
MAX_ENTRIES = 400_000
# So many labels of one organization are kept, with so many entries together.
MAX_LABELS = 32
MAX_ENTRIES_TOGETHER = 4 * MAX_ENTRIES


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelSums:
    """Sums by day, metric and label value, in the order of days.

    `extremes` are None if some day was written by an earlier version, which kept none.
    """

    days: Array
    metrics: Array
    labels: Array
    sums: ExactSums
    extremes: Extremes | None

    @classmethod
    def of(cls, entries: Iterable[tuple[int, Entry]]) -> LabelSums:
        """Join the entries of parts of days, which are in the order of days."""
        each = list(entries)
        lengths = [len(sums) for _, (_, _, sums, _) in each]
        none = np.empty(0, np.int64)
        return cls(
            days=np.repeat(np.array([day for day, _ in each], np.int64), lengths),
            metrics=np.concatenate([none, *(metrics for _, (metrics, _, _, _) in each)]),
            labels=np.concatenate([none, *(labels for _, (_, labels, _, _) in each)]),
            sums=ExactSums.joined([sums for _, (_, _, sums, _) in each]),
            extremes=Extremes.joined([extremes for _, (_, _, _, extremes) in each]),
        )

    def between(self, first: int, end: int) -> LabelSums:
        """Return those of the days [first, end)."""
        start, stop = np.searchsorted(self.days, (first, end)).tolist()
        chosen = slice(start, stop)
        return LabelSums(
            days=self.days[chosen],
            metrics=self.metrics[chosen],
            labels=self.labels[chosen],
            sums=self.sums.sliced(chosen),
            extremes=None if self.extremes is None else self.extremes.taken(chosen),
        )


class LabelTotals:
    """The sums of one label; used by one thread at a time."""

    def __init__(self, organization_id: int, key: str) -> None:
        self._organization_id = organization_id
        self._key = key
        self._entries: dict[DayPart, Entry] = {}
        self._joined = LabelSums.of([])

    def __len__(self) -> int:
        return len(self._joined.days)

    def read(self, connection: sqlite3.Connection, first: int, end: int) -> LabelSums:
        """Return the sums of the days [first, end) as `connection`'s transaction sees them."""
        parts = list(
            connection.execute(
                "SELECT day, part, summed FROM metric_days"
                " WHERE organization_id = ? AND day >= ? AND day < ? ORDER BY day, part",
                (self._organization_id, first, end),
            )
        )
        known = self._entries
        missing = [part for part in parts if part not in known]
        of_range = [part for part in known if first <= part[0] < end]
        if not missing and len(of_range) == len(parts):
            return self._joined.between(first, end)
        found = self._read(connection, missing)
        entries = {part: known[part] if part in known else found[part] for part in parts}
        sums = LabelSums.of((part[0], entries[part]) for part in parts)
        others = {part: known[part] for part in known if not first <= part[0] < end}
        if len(self) + sum(len(entry[2]) for entry in found.values()) <= MAX_ENTRIES:
            self._entries = others | entries
            self._joined = LabelSums.of(
                (part[0], self._entries[part]) for part in sorted(self._entries)
            )
        return sums

    def _read(self, connection: sqlite3.Connection, parts: list[DayPart]) -> dict[DayPart, Entry]:
        if not parts:
            return {}
        days = [day for day, _, _ in parts]
        rows = connection.execute(
            "SELECT day, part, sums FROM label_sums"
            " WHERE organization_id = ? AND key = ? AND day BETWEEN ? AND ?",
            (self._organization_id, self._key, min(days), max(days)),
        )
        wanted = {(day, part): (day, part, summed) for day, part, summed in parts}
        entries: dict[DayPart, Entry] = {}
        for day, part, blob in rows:
            if (day, part) in wanted:
                (metrics, labels), sums, extremes = decode_sums_and_extremes(blob, 2)
                entries[wanted.pop((day, part))] = (metrics, labels, sums, extremes)
        for (day, part), key in wanted.items():
            entries[key] = self._without_label(connection, day, part)
        return entries

    def _without_label(self, connection: sqlite3.Connection, day: int, part: int) -> Entry:
        """Return the sums of a part of which no point has the label."""
        rows = connection.execute(
            "SELECT metric_code, sums FROM metric_cells WHERE organization_id = ?1"
            " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
            " AND day = ?2 AND part = ?3",
            (self._organization_id, day, part),
        ).fetchall()
        cells = [decode_sums_and_extremes(blob, 1) for _, blob in rows]
        metrics, where = np.unique(
            np.repeat(
                np.array([metric for metric, _ in rows], np.int64),
                [len(sums) for _, sums, _ in cells],
            ),
            return_inverse=True,
        )
        sums = ExactSums.zeros(len(metrics))
        sums.merge(where, ExactSums.joined([of_metric for _, of_metric, _ in cells]))
        extremes = Extremes.joined([of_metric for _, _, of_metric in cells])
        return (
            metrics,
            np.zeros(len(metrics), np.int64),
            sums,
            None if extremes is None else extremes.merged(where, len(metrics)),
        )


class LabelRollups:
    """The sums of the labels that were asked for last; used by one thread at a time."""

    def __init__(self, organization_id: int) -> None:
        self._organization_id = organization_id
        self._labels: OrderedDict[str, LabelTotals] = OrderedDict()

    def __len__(self) -> int:
        """Return how many entries there are."""
        return sum(map(len, list(self._labels.values())))

    def read(self, connection: sqlite3.Connection, key: str, first: int, end: int) -> LabelSums:
        """Return the sums of a label on days [first, end) as `connection` sees them."""
        totals = self._labels.setdefault(key, LabelTotals(self._organization_id, key))
        self._labels.move_to_end(key)
        sums = totals.read(connection, first, end)
        entries = len(self)
        while len(self._labels) > MAX_LABELS or entries > MAX_ENTRIES_TOGETHER:
            _, oldest = self._labels.popitem(last=False)
            entries -= len(oldest)
        return sums
