"""Computes rollups again from the columns of segments, and compares them with what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions, joined
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.extremes import Extremes
from vumeter_server.custom_metrics.sqlite.cache.label_index import use_numbers
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    DAY_US,
    DISTRIBUTION_KIND,
    Array,
    Kind,
    decode,
)
from vumeter_server.custom_metrics.sqlite.formats.distributions import decode_distributions
from vumeter_server.custom_metrics.sqlite.formats.segments import read_columns, read_distributions
from vumeter_server.custom_metrics.sqlite.formats.session_rows import read_all_session_rows
from vumeter_server.custom_metrics.sqlite.formats.sessions import read_session
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_sums_and_extremes
from vumeter_server.custom_metrics.sqlite.maintenance.segment_building import of_distributions
from vumeter_server.custom_metrics.sqlite.rollups.building import (
    add_rollups,
    merge_by_label_set,
    sum_by,
)
from vumeter_server.custom_metrics.sqlite.rollups.rows import RollupRows

# Sums that were added up in another order may differ in their last digits, which no answer shows.
RELATIVE = 1e-13
POINTS_AT_ONCE = 200_000
Hashes = dict[int, int]
Rollup = tuple[Sequence[Array], ExactSums, Extremes | None]
"""Columns of keys, with the sums, minima and maxima of each."""


class SumsCheck:
    """Checks one organization; the columns have to be whole."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._where = (snapshot.organization_id,)
        self._known = np.zeros(max(snapshot.state.metrics, 1), np.bool_)
        self._known[list(snapshot.metrics.names)] = True
        # The sum of a number for each point, by day: of the columns, and of the sessions.
        self._of_columns: Hashes = {}
        self._uses = np.unique(
            use_numbers(
                *np.array(
                    self._rows(
                        "SELECT metric_code, agent_code, label_code FROM metric_uses",
                        "AND ifnull(deleted_by > ?, 1)",
                        snapshot.state.deleted_through,
                    ),
                    np.int64,
                )
                .reshape(-1, 3)
                .T
            )
        )

    def problems(self) -> Iterator[str]:
        """Yield a line for each part of a day, block or day of sessions that does not agree."""
        for day, part in self._rows("SELECT day, part FROM metric_days ORDER BY day, part"):
            yield from self._part(day, part)
        for level, block, through in self._rows("SELECT level, block, through FROM series_blocks"):
            yield from self._block(level, block, through)
        yield from self._sessions()

    def _rows(self, select: str, more: str = "", *values: int | str) -> list[tuple[int, ...]]:
        before, order, after = select.partition(" ORDER BY ")
        return self._snapshot.connection.execute(
            f"{before} WHERE organization_id = ? {more}{order}{after}",
            (*self._where, *values),
        ).fetchall()

    def _part(self, day: int, part: int) -> Iterator[str]:
        metrics, columns, distributions = self._columns(day, part)
        if not len(metrics):
            return
        times_us, values, series = columns[Kind.TIME], columns[Kind.VALUE], columns[Kind.SERIES]
        expected = RollupRows()
        add_rollups(
            expected,
            self._snapshot.organization_id,
            self._snapshot.labels,
            day,
            part,
            metrics=metrics,
            times_us=times_us,
            label_sets=series,
            values=values,
            **of_distributions(values, distributions),
        )
        where = f"day {day}, part {part}"
        cells = {row[1]: row[4] for row in expected.intervals}
        stored = dict(
            self._snapshot.connection.execute(
                "SELECT metric_code, sums FROM metric_cells WHERE organization_id = ?1"
                " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
                " AND day = ?2 AND part = ?3",
                (*self._where, day, part),
            ).fetchall()
        )
        for metric, blob in cells.items():
            if metric not in stored or not self._agree(blob, stored[metric], 1):
                yield f"{where}: sums by cell of metric {metric} are not those of its points"
        for row in expected.labels:
            key = row[1]
            found = self._snapshot.connection.execute(
                "SELECT sums FROM label_sums WHERE organization_id = ? AND key = ?"
                " AND day = ? AND part = ?",
                (*self._where, key, day, part),
            ).fetchone()
            if found is None or not self._agree(row[4], found[0], 2):
                yield f"{where}: sums by {key} are not those of the points"
        uses = self._snapshot.labels.uses_of({"metric": metrics, "series": series})
        if not np.isin(uses, self._uses).all():
            yield f"{where}: labels of its points are missing in metric_uses"
        of_session = columns[Kind.SESSION] > 0
        hashes = _hashes(
            columns[Kind.SESSION].astype(np.int64) - 1,
            metrics,
            series,
            times_us + day * DAY_US,
            values,
        )
        _add(self._of_columns, day, hashes[of_session])

    def _columns(
        self, day: int, part: int
    ) -> tuple[Array, dict[Kind, Array], Distributions | None]:
        """Return the metric of each point of a part, and its columns, as a flush orders them."""
        rows = self._snapshot.connection.execute(
            "SELECT metric_code, kind, column FROM metric_columns WHERE organization_id = ?1"
            " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1"
            " AND name IS NOT NULL) AND kind IN (0, 1, 2, 3, 4) AND day = ?2 AND part = ?3",
            (*self._where, day, part),
        )
        found: dict[int, dict[Kind, Array]] = {}
        distributions: dict[int, Distributions] = {}
        for metric, kind, column in rows:
            if kind == DISTRIBUTION_KIND:
                distributions[metric] = decode_distributions(column)
            else:
                found.setdefault(metric, {})[Kind(kind)] = decode(column)
        none = [np.empty(0, np.int64)]
        return (
            np.concatenate(
                none + [np.full(len(each[Kind.VALUE]), m, np.int64) for m, each in found.items()]
            ),
            {
                kind: np.concatenate([*none[len(found) :], *(e[kind] for e in found.values())])
                for kind in Kind
            },
            joined([(distributions.get(m), len(each[Kind.VALUE])) for m, each in found.items()]),
        )

    def _agree(self, expected: bytes, stored: bytes, keys: int) -> bool:
        """Whether sums agree; of two keys the first is the metric, which may be deleted since."""
        mine = decode_sums_and_extremes(expected, keys)
        theirs = decode_sums_and_extremes(stored, keys)
        if keys > 1:
            chosen = np.flatnonzero(self._known[theirs[0][0]])
            of_theirs, sums, extremes = theirs
            theirs = (
                [key[chosen] for key in of_theirs],
                sums.taken(chosen),
                None if extremes is None else extremes.taken(chosen),
            )
        return _equal(mine, theirs)

    def _block(self, level: int, block: int, through: int) -> Iterator[str]:
        for metric in sorted(self._snapshot.metrics.names):
            columns: dict[int, dict[tuple[int, int], Array]] = {Kind.SERIES: {}, Kind.VALUE: {}}
            for kind, found in columns.items():
                days = (block * level, (block + 1) * level)
                found.update(
                    read_columns(
                        self._snapshot.connection,
                        *self._where,
                        metric,
                        Kind(kind),
                        days,
                        before_part=through + 1,
                    )
                )
            distributions = read_distributions(
                self._snapshot.connection,
                *self._where,
                metric,
                (block * level, (block + 1) * level),
                before_part=through + 1,
            )
            parts = [
                sum_by(
                    columns[Kind.SERIES][key],
                    values,
                    **of_distributions(values, distributions.get(key)),
                )
                for key, values in columns[Kind.VALUE].items()
            ]
            row = self._snapshot.connection.execute(
                "SELECT sums FROM series_sums WHERE organization_id = ? AND metric_code = ?"
                " AND level = ? AND block = ?",
                (*self._where, metric, level, block),
            ).fetchone()
            if (row is None) != (not parts) or (
                row is not None
                and not _equal(
                    decode_sums_and_extremes(merge_by_label_set(parts), 1),
                    decode_sums_and_extremes(row[0], 1),
                )
            ):
                yield (
                    f"block {block} of {level} days: sums of metric {metric}"
                    " are not those of the points"
                )

    def _sessions(self) -> Iterator[str]:
        of_sessions: Hashes = {}
        waiting: dict[int, list[tuple[int, int, int, int, float]]] = {}
        count = 0
        rows = read_all_session_rows(self._snapshot.connection, *self._where)
        for session, day, blob in rows:
            points = [(session, *point) for point in read_session(blob) if self._known[point[0]]]
            waiting.setdefault(day, []).extend(points)
            count += len(points)
            if count > POINTS_AT_ONCE:
                _add_each(of_sessions, waiting)
                waiting, count = {}, 0
        _add_each(of_sessions, waiting)
        for day in sorted(self._of_columns.keys() | of_sessions.keys()):
            if self._of_columns.get(day, 0) != of_sessions.get(day, 0):
                yield f"day {day}: sessions do not have the points that the columns have"


def _equal(mine: Rollup, theirs: Rollup) -> bool:
    """Whether rollups agree; an earlier version stored none of the minima and maxima."""
    (my_keys, my_sums, my_extremes), (their_keys, their_sums, their_extremes) = mine, theirs
    return (
        all(np.array_equal(a, b) for a, b in zip(my_keys, their_keys, strict=True))
        and np.array_equal(my_sums.counts, their_sums.counts)
        and np.allclose(my_sums.totals(), their_sums.totals(), rtol=RELATIVE, atol=1e-20)
        and (
            my_extremes is None
            or their_extremes is None
            or (
                np.array_equal(my_extremes.minima, their_extremes.minima)
                and np.array_equal(my_extremes.maxima, their_extremes.maxima)
            )
        )
    )


def _hashes(
    sessions: Array, metrics: Array, series: Array, times_us: Array, values: Array
) -> npt.NDArray[np.uint64]:
    """Return a number for each point that depends on all of it."""
    hashes = np.zeros(len(values), np.uint64)
    for column in (sessions, metrics, series, times_us):
        hashes = _mixed(hashes ^ column.astype(np.int64).view(np.uint64))
    # Adding 0.0 turns -0.0 into the 0.0 that it equals.
    return _mixed(hashes ^ (values.astype(np.float64) + 0.0).view(np.uint64))


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread each bit over all of 64: the finalizer of MurmurHash3."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    mixed: npt.NDArray[np.uint64] = numbers ^ (numbers >> np.uint64(33))
    return mixed


def _add(to: Hashes, day: int, hashes: npt.NDArray[np.uint64]) -> None:
    if len(hashes):
        to[day] = (to.get(day, 0) + int(hashes.sum(dtype=np.uint64))) % 2**64


def _add_each(to: Hashes, waiting: dict[int, list[tuple[int, int, int, int, float]]]) -> None:
    for day, points in waiting.items():
        if points:
            *integers, values = zip(*points, strict=True)
            sessions, metrics, series, times_us = (np.array(each, np.int64) for each in integers)
            _add(to, day, _hashes(sessions, metrics, series, times_us, np.array(values)))
