"""The labels of an organization, the sets of them that points have, and which metrics use them."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.growing_array import GrowingArray
from vumeter_server.custom_metrics.sqlite.cache.head import HeadPoints
from vumeter_server.custom_metrics.sqlite.cache.label_index import LabelIndex, use_numbers
from vumeter_server.custom_metrics.sqlite.ingest.interning import Codes, distinct, number_groups
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import AGENT, NO_CODE, State
from vumeter_server.sqlite.library import sqlite3

NONE = np.array([NO_CODE])
# How many series of one organization have their labels cached by name.
MAX_SERIES_NAMED = 20_000
# How many groupings of one organization's series are remembered.
MAX_GROUPINGS = 16


class Labels:
    """Labels, series and uses: tables that only grow, read by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.keys: dict[str, int] = {}
        self.texts: list[str] = []
        self.codes: dict[tuple[str, str], int] = {}
        self._key_codes: GrowingArray[np.int32] = GrowingArray(np.int32)
        self._members: GrowingArray[np.int32] = GrowingArray(np.int32)
        self._owners: GrowingArray[np.int32] = GrowingArray(np.int32)
        # Where the members of each series begin, and behind them those of the last end.
        self._bounds: GrowingArray[np.int64] = GrowingArray(np.int64, np.zeros(1, np.int64))
        self.series = 0
        self.index = LabelIndex()
        self._key_names: list[str] = []
        self._columns: dict[str, Codes] = {}
        self._groups: dict[tuple[str, ...], tuple[Codes, list[list[int]]]] = {}
        self._of_series: dict[int, dict[str, str]] = {}

    def extend(self, connection: sqlite3.Connection, organization_id: int, state: State) -> None:
        """Read what was added up to `state`."""
        with self._lock:
            self._extend(connection, organization_id, state)

    def forget_uses(self) -> None:
        """Hold no uses, so that they are read again."""
        with self._lock:
            self.index = LabelIndex()

    def _extend(self, connection: sqlite3.Connection, organization_id: int, state: State) -> None:
        self._extend_labels(connection, organization_id)
        if self.series < state.series:
            self._extend_series(connection, organization_id)
        if self.index.flushed < state.uses:
            rows = connection.execute(
                "SELECT metric_code, agent_code, label_code, ifnull(deleted_by > ?, 1)"
                " FROM metric_uses WHERE organization_id = ? AND use_code >= ? ORDER BY use_code",
                (state.deleted_through, organization_id, self.index.flushed),
            ).fetchall()
            self.index.add_flushed(rows)

    def _extend_labels(self, connection: sqlite3.Connection, organization_id: int) -> None:
        rows = connection.execute(
            "SELECT key, value FROM labels WHERE organization_id = ? AND label_code >= ?"
            " ORDER BY label_code",
            (organization_id, len(self.texts)),
        ).fetchall()
        key_codes = []
        for key, value in rows:
            self.codes[key, value] = len(self.texts)
            self.texts.append(value)
            if key not in self.keys:
                self.keys[key] = len(self.keys)
                self._key_names.append(key)
            key_codes.append(self.keys[key])
        self._key_codes.append(np.array(key_codes, np.int32))

    def _extend_series(self, connection: sqlite3.Connection, organization_id: int) -> None:
        rows = connection.execute(
            "SELECT label_codes FROM series WHERE organization_id = ? AND series_code >= ?"
            " ORDER BY series_code",
            (organization_id, self.series),
        ).fetchall()
        counts = [len(label_codes) // 4 for (label_codes,) in rows]
        owners = np.arange(self.series, self.series + len(rows), dtype=np.int32)
        self._owners.append(np.repeat(owners, counts))
        self._bounds.append(np.cumsum(counts, dtype=np.int64) + len(self._members))
        self._members.append(np.frombuffer(b"".join(row[0] for row in rows), "<i4"))
        self.series += len(rows)

    @property
    def entries(self) -> int:
        """How many entries are held."""
        columns = len(self._columns) + len(self._groups)
        return 3 * len(self.texts) + self.series + columns * self.series // 10

    def column(self, key: str) -> Codes:
        """Return the label code of `key` for each series, NO_CODE where it has none."""
        with self._lock:
            known = self._columns.get(key)
            if known is None or len(known) < self.series:
                self._columns[key] = known = self._make_column(key, known)
            return known

    def _make_column(self, key: str, known: Codes | None) -> Codes:
        column = np.full(self.series, NO_CODE, np.int32)
        start = 0
        if known is not None:
            column[: len(known)] = known
            start = int(np.searchsorted(self._owners.view(), np.int32(len(known))))
        key_code = self.keys.get(key)
        if key_code is not None:
            members, owners = self._members.view()[start:], self._owners.view()[start:]
            chosen = self._key_codes.view()[members] == key_code
            column[owners[chosen]] = members[chosen]
        return column

    def groups(self, keys: tuple[str, ...]) -> tuple[Codes, list[list[int]]]:
        """Number the combinations of values that series have of some keys.

        Returns the number of each series, and for each number the label codes, NO_CODE for none.
        """
        columns = [self.column(key) for key in keys]
        series = min(len(column) for column in columns)
        known = self._groups.get(keys)
        if known is None or len(known[0]) < series:
            known = number_groups([column[:series] for column in columns], len(self.texts))
            self._groups[keys] = known
            if len(self._groups) > MAX_GROUPINGS:
                self._groups.pop(next(iter(self._groups)), None)
        return known

    def uses_of(self, points: HeadPoints | Mapping[str, Codes]) -> npt.NDArray[np.int64]:
        """Return the distinct uses of points with a metric and a series, in ascending order."""
        agents = self.column(AGENT)
        pairs = distinct(points["metric"] * np.int64(len(agents)) + points["series"])
        metrics, series = np.divmod(pairs, len(agents))
        unlabelled = use_numbers(metrics, agents[series].astype(np.int64), NONE)
        with self._lock:
            bounds, members = self._bounds.view(), self._members.view()
        starts = bounds[series]
        counts = bounds[series + 1] - starts
        # The positions of the members of each series, one series after another.
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        labels = members[np.repeat(starts, counts) + within]
        # A use of a label is that of none plus the label's code and 1.
        bases, base_of_pair = np.unique(unlabelled, return_inverse=True)
        width = len(self.texts) + 1
        uses = distinct(
            np.concatenate(
                [base_of_pair * width, np.repeat(base_of_pair, counts) * width + labels + 1]
            )
        )
        base, label = np.divmod(uses, width)
        return bases[base] + label

    def of_series(self, series_code: int) -> dict[str, str]:
        """Return the labels of one series; not to be changed."""
        labels = self._of_series.get(series_code)
        if labels is None:
            labels = self._of_series[series_code] = self._read_series(series_code)
            if len(self._of_series) > MAX_SERIES_NAMED:
                self._of_series.clear()
        return labels

    def members_of(self, series_codes: Codes) -> list[list[int]]:
        """Return the label codes of each of some series."""
        with self._lock:
            members, bounds = self._members.view(), self._bounds.view()
        each = zip(bounds[series_codes].tolist(), bounds[series_codes + 1].tolist(), strict=True)
        return [members[first:end].tolist() for first, end in each]

    def _read_series(self, series_code: int) -> dict[str, str]:
        with self._lock:
            members = self._members.view()
            first, last = self._bounds.view()[series_code : series_code + 2].tolist()
            return dict(self.name(code) for code in members[first:last].tolist())

    def count_by_key(
        self, used: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
        """Count labels in use, and the label sets that have nothing but these.

        Returns how many labels and how many label sets have each key, by the keys' numbers, and how
        many label sets there are.
        """
        with self._lock:
            key_codes, keys, series = self._key_codes.view(), len(self.keys), self.series
            members, owners = self._members.view(), self._owners.view()
        used = used[used < len(key_codes)]
        is_used = np.zeros(len(key_codes), np.bool_)
        is_used[used] = True
        has_unused = np.zeros(series, np.bool_)
        has_unused[owners[~is_used[members]]] = True
        of_counted = members[~has_unused[owners]]
        return (
            np.bincount(key_codes[used], minlength=keys),
            np.bincount(key_codes[of_counted], minlength=keys),
            series - int(has_unused.sum()),
        )

    def name(self, label_code: int) -> tuple[str, str]:
        """Return the key and the value of a label."""
        key_code = int(self._key_codes.view()[label_code])
        return self._key_names[key_code], self.texts[label_code]
