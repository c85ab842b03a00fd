"""Looks through the custom metrics of a database: what they take, and whether they agree."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshots
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    Kind,
    decode,
    decode_sums,
    read_session,
)
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State, read_state
from vumeter_server.custom_metrics.sqlite.maintenance.verification_sums import SumsCheck
from vumeter_server.custom_metrics.sqlite.rollups.building import read_by_series


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a database holds of one organization."""

    organization: str
    days: int
    sealed_points: int
    log_points: int
    metrics: int
    series: int
    labels: int
    sessions: int


def contents(connection: sqlite3.Connection) -> list[Contents]:
    """Return what there is of every organization, by name."""
    found = []
    for organization_id, name in connection.execute(
        "SELECT organization_id, name FROM organizations ORDER BY name"
    ).fetchall():

        def one(sql: str, of: int = organization_id) -> int:
            return int(connection.execute(sql, (of,)).fetchone()[0] or 0)

        state = read_state(connection, organization_id)
        of_days = "FROM metric_days WHERE organization_id = ?"
        found.append(
            Contents(
                organization=name,
                days=one("SELECT count(DISTINCT day) " + of_days),
                sealed_points=one("SELECT sum(points) " + of_days),
                log_points=one("SELECT sum(points) FROM metric_batches WHERE organization_id = ?"),
                metrics=one(
                    "SELECT count(*) FROM metrics WHERE organization_id = ? AND name IS NOT NULL"
                ),
                series=state.series,
                labels=state.labels,
                sessions=one("SELECT count(*) FROM sessions WHERE organization_id = ?"),
            )
        )
    return found


def find_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield a line for each thing that does not agree with another; none is a sound database."""
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"SQLite: {line}"
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"{table}: row {row} refers to nothing in {parent}"
    for organization_id, name in connection.execute(
        "SELECT organization_id, name FROM organizations ORDER BY name"
    ).fetchall():
        sound = True
        for problem in _Check(connection, organization_id).problems():
            sound = False
            yield f"{name}: {problem}"
        if sound:
            # What does not count its points need not be added up.
            snapshot = Snapshots().take(connection, organization_id)
            for problem in SumsCheck(snapshot).problems():
                yield f"{name}: {problem}"


class _Check:
    def __init__(self, connection: sqlite3.Connection, organization_id: int) -> None:
        self._connection = connection
        self._organization_id = organization_id
        self._metrics = {
            code for (code,) in self._rows("SELECT metric_code FROM metrics WHERE name IS NOT NULL")
        }

    def problems(self) -> Iterator[str]:
        state = read_state(self._connection, self._organization_id)
        yield from self._codes(state)
        # Points by (day, part, metric); those of deleted metrics count nowhere.
        points: Counter[tuple[int, int, int]] = Counter()
        in_sessions = 0
        for metric, kind, day, part, count, column in self._rows(
            "SELECT metric_code, kind, day, part, points, column FROM metric_columns"
        ):
            if metric not in self._metrics:
                continue
            decoded = decode(column)
            if len(decoded) != count:
                yield f"day {day}, part {part}: column {kind} of metric {metric} has a wrong length"
            if kind == Kind.VALUE:
                points[day, part, metric] += count
            elif kind == Kind.SESSION:
                in_sessions += int(np.count_nonzero(decoded))
        yield from self._days(points)
        yield from self._sums(points)
        yield from self._blocks(points)
        yield from self._sessions(in_sessions)

    def _rows(self, select: str) -> sqlite3.Cursor:
        where = " AND " if " WHERE " in select else " WHERE "
        return self._connection.execute(
            f"{select}{where}organization_id = ?", (self._organization_id,)
        )

    def _codes(self, state: State) -> Iterator[str]:
        for table, code, given in (
            ("metrics", "metric_code", state.metrics),
            ("labels", "label_code", state.labels),
            ("series", "series_code", state.series),
            ("metric_uses", "use_code", state.uses),
        ):
            count, last = self._rows(f"SELECT count(*), max({code}) FROM {table}").fetchone()  # noqa: S608
            if count != given or (last or 0) != max(given - 1, 0):
                yield f"{table}: {count} rows up to code {last}, where {given} codes are given"

    def _days(self, points: Counter[tuple[int, int, int]]) -> Iterator[str]:
        by_part: Counter[tuple[int, int]] = Counter()
        for (day, part, _), count in points.items():
            by_part[day, part] += count
        days = {
            (day, part): count
            for day, part, count in self._rows("SELECT day, part, points FROM metric_days")
        }
        for key in sorted(by_part.keys() | days.keys()):
            # A metric that was deleted since is counted in the day and has no columns.
            if by_part[key] > days.get(key, 0):
                yield f"day {key[0]}, part {key[1]}: more points than the day counts"

    def _sums(self, points: Counter[tuple[int, int, int]]) -> Iterator[str]:
        cells: Counter[tuple[int, int, int]] = Counter()
        for metric, day, part, blob in self._rows(
            "SELECT metric_code, day, part, sums FROM metric_cells"
        ):
            if metric in self._metrics:
                cells[day, part, metric] += int(decode_sums(blob, 1)[1].counts.sum())
        if cells != points:
            yield "sums by cell do not count the points that the columns have"
        for key, day, part, blob in self._rows("SELECT key, day, part, sums FROM label_sums"):
            (metrics, _), sums = decode_sums(blob, 2)
            for metric in np.unique(metrics).tolist():
                counted = int(sums.counts[metrics == metric].sum())
                if metric in self._metrics and counted != points[day, part, metric]:
                    yield f"day {day}, part {part}: sums by {key} do not count all points"

    def _blocks(self, points: Counter[tuple[int, int, int]]) -> Iterator[str]:
        for level, block, through in self._rows(
            "SELECT level, block, through FROM series_blocks"
        ).fetchall():
            expected: Counter[int] = Counter()
            for (day, part, metric), count in points.items():
                if day // level == block and part <= through:
                    expected[metric] += count
            found: Counter[int] = Counter()
            for metric, blob in self._connection.execute(
                "SELECT metric_code, sums FROM series_sums"
                " WHERE organization_id = ? AND level = ? AND block = ?",
                (self._organization_id, level, block),
            ):
                if metric in self._metrics:
                    found[metric] += int(read_by_series(blob)[1].counts.sum())
            if found != expected:
                yield f"block {block} of {level} days does not count the points of its days"

    def _sessions(self, expected: int) -> Iterator[str]:
        found = 0
        for (blob,) in self._rows("SELECT columns FROM session_points"):
            found += sum(metric in self._metrics for metric, *_ in read_session(blob))
        if found != expected:
            yield f"sessions have {found} sealed points, where the columns have {expected}"
