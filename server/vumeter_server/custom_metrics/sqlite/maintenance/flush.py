"""Moves points from the log into days of columns, in the background and unseen by queries.

Sealing takes the batches of the log up to some number, in one transaction: before it, queries see
the points in the log, after it in the days. A day that was sealed in many parts is merged into one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.label_index import use_codes
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.batches import decode_batches
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array, Kind, decode, encode
from vumeter_server.custom_metrics.sqlite.formats.sessions import encode_sessions
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state, write_state
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.sqlite.rollups.building import (
    CellRow,
    LabelRow,
    runs_of,
    sum_part,
)
from vumeter_server.sqlite.library import sqlite3

# The log of an organization is sealed when it holds this many points or batches: it is what every
# query reads in full.
SEAL_AT_POINTS = 65_536
SEAL_AT_BATCHES = 2_000
# A sealing takes at most this many points, so that its memory and its transaction are bounded.
SEAL_AT_MOST = 131_072
MERGE_AT_PARTS = 8

ColumnRow = tuple[int, int, int, int, int, int, bytes]
SessionRow = tuple[int, int, int, int, bytes]
DayRow = tuple[int, int, int, int, int, int]

_INSERTS = {
    "columns": "INSERT INTO metric_columns VALUES (?, ?, ?, ?, ?, ?, ?)",
    "sessions": "INSERT INTO session_points VALUES (?, ?, ?, ?, ?)",
    "days": "INSERT INTO metric_days VALUES (?, ?, ?, ?, ?, ?)",
    "cells": "INSERT INTO metric_cells VALUES (?, ?, ?, ?, ?)",
    "labels": "INSERT INTO label_sums VALUES (?, ?, ?, ?, ?)",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """What is written of sealed points: rows of the tables that `_INSERTS` names."""

    columns: list[ColumnRow]
    sessions: list[SessionRow]
    days: list[DayRow]
    cells: list[CellRow]
    labels: list[LabelRow]

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write the rows."""
        for name, statement in _INSERTS.items():
            connection.executemany(statement, getattr(self, name))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sealing:
    """What one sealing writes; its batches are those up to number `part` of those to `through`."""

    organization_id: int
    part: int
    through: int
    rows: Rows
    uses: Array
    """Uses by the sealed points that no point before had."""


def due(
    connection: sqlite3.Connection, *, at_points: int = SEAL_AT_POINTS
) -> dict[int, tuple[int, int]]:
    """Return the organizations whose log should be sealed, with its points and its batches.

    With `at_points` of 0 those that have one.
    """
    rows = connection.execute(
        "SELECT organization_id, sum(points), count(*) FROM metric_batches GROUP BY organization_id"
        " HAVING sum(points) > ? OR count(*) > ? ORDER BY organization_id",
        (at_points, SEAL_AT_BATCHES),
    )
    return {organization_id: (points, batches) for organization_id, points, batches in rows}


def prepare(snapshot: Snapshot, through: int | None = None, *, now_us: int = 0) -> Sealing | None:
    """Read the oldest batches of the log, up to number `through`, and lay their points out by day.

    None if there are no such batches.
    """
    last = snapshot.state.next_batch - 1 if through is None else through
    part = -1
    blobs: list[bytes] = []
    taken = 0
    for number, points, columns in snapshot.connection.execute(
        "SELECT batch_number, points, columns FROM metric_batches"
        " WHERE organization_id = ? AND batch_number <= ? ORDER BY batch_number",
        (snapshot.organization_id, last),
    ):
        if blobs and taken + points > SEAL_AT_MOST:
            break
        part = number
        taken += points
        blobs.append(columns)
    if not blobs:
        return None
    points = decode_batches(blobs)
    # Nobody sees the points of deleted metrics; they go here.
    points = points[np.isin(points["metric"], list(snapshot.metrics.names))]
    return Sealing(
        organization_id=snapshot.organization_id,
        part=part,
        through=last,
        rows=_rows(snapshot, part, points, now_us),
        uses=snapshot.unflushed_uses(points),
    )


def apply(connection: sqlite3.Connection, sealing: Sealing) -> None:
    """Write a sealing and take its points out of the log."""
    sealing.rows.insert(connection)
    connection.execute(
        "DELETE FROM metric_batches WHERE organization_id = ? AND batch_number <= ?",
        (sealing.organization_id, sealing.part),
    )
    state = read_state(connection, sealing.organization_id)
    state.sealed_through = sealing.part
    connection.executemany(
        "INSERT INTO metric_uses VALUES (?, ?, ?, ?, ?)",
        [
            (sealing.organization_id, code, *use)
            for code, use in enumerate(use_codes(sealing.uses).tolist(), state.uses)
        ],
    )
    state.uses += len(sealing.uses)
    write_state(connection, sealing.organization_id, state)


def _rows(snapshot: Snapshot, part: int, points: npt.NDArray[np.void], now_us: int) -> Rows:
    days = points["time_us"] // DAY_US
    sessions = _session_rows(snapshot.organization_id, part, points, days)
    order = np.lexsort((points["time_us"], points["metric"], days))
    points, days = points[order], days[order]
    rows = Rows(columns=[], sessions=sessions, days=[], cells=[], labels=[])
    for day, start, stop in runs_of(days):
        of_day = points[start:stop]
        _add_day(
            rows,
            snapshot,
            day,
            part,
            sealed_us=now_us,
            metrics=of_day["metric"],
            columns={
                Kind.TIME: of_day["time_us"] - day * DAY_US,
                Kind.VALUE: of_day["value"],
                Kind.SERIES: of_day["series"],
                Kind.SESSION: of_day["session"].astype(np.int64) + 1,
            },
        )
    return rows


def _add_day(
    rows: Rows,
    snapshot: Snapshot,
    day: int,
    part: int,
    *,
    metrics: Array,
    columns: dict[Kind, Array],
    sealed_us: int,
    summed: int = 1,
) -> None:
    """Add the rows of a part of a day; the points are ordered by metric, then time.

    `summed` counts how often a part of that number was written: a merge writes it again.
    """
    organization_id = snapshot.organization_id
    for metric, start, stop in runs_of(metrics):
        for kind, column in columns.items():
            blob = encode(column[start:stop], ascending=kind is Kind.TIME)
            rows.columns.append((organization_id, metric, int(kind), day, part, stop - start, blob))
    sums = sum_part(
        snapshot,
        day,
        part,
        metrics,
        columns[Kind.TIME],
        columns[Kind.SERIES],
        columns[Kind.VALUE],
    )
    rows.cells.extend(sums.cells)
    rows.labels.extend(sums.labels)
    rows.days.append((organization_id, day, part, len(metrics), summed, sealed_us))


def _session_rows(
    organization_id: int, part: int, points: npt.NDArray[np.void], days: npt.NDArray[np.int64]
) -> list[SessionRow]:
    of_session = points["session"] >= 0
    points, days = points[of_session], days[of_session]
    if not len(points):
        return []
    order = np.lexsort((days, points["session"]))
    points, days = points[order], days[order]
    sessions = points["session"]
    changes = (sessions[1:] != sessions[:-1]) | (days[1:] != days[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    blobs = encode_sessions(points, starts)
    return [
        (organization_id, session, part, day, blob)
        for session, day, blob in zip(
            sessions[starts].tolist(), days[starts].tolist(), blobs, strict=True
        )
    ]


def days_to_merge(connection: sqlite3.Connection, *, parts: int) -> list[tuple[int, int]]:
    """Return the organizations and days with at least `parts` parts, or without their sums."""
    return connection.execute(
        "SELECT organization_id, day FROM metric_days GROUP BY organization_id, day"
        " HAVING count(*) >= ? OR min(summed) = 0 ORDER BY organization_id, day",
        (parts,),
    ).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Merge:
    """What merging a day writes: one part in the place of all up to its number."""

    organization_id: int
    day: int
    part: int
    rows: Rows


def prepare_merge(snapshot: Snapshot, day: int) -> Merge:
    """Read all parts of a day and lay their points out as one, without those of deleted metrics."""
    part, summed, sealed_us = snapshot.connection.execute(
        "SELECT max(part), max(summed), max(sealed_us) FROM metric_days"
        " WHERE organization_id = ? AND day = ?",
        (snapshot.organization_id, day),
    ).fetchone()
    metrics: list[Array] = []
    columns: dict[Kind, list[Array]] = {kind: [] for kind in Kind}
    for metric in sorted(snapshot.metrics.names):
        joined = {kind: _joined(snapshot, metric, kind, day) for kind in Kind}
        order = np.argsort(joined[Kind.TIME], kind="stable")
        metrics.append(np.full(len(order), metric))
        for kind, column in joined.items():
            columns[kind].append(column[order])
    rows = Rows(columns=[], sessions=[], days=[], cells=[], labels=[])
    if sum(map(len, metrics)):
        _add_day(
            rows,
            snapshot,
            day,
            part,
            metrics=np.concatenate(metrics),
            columns={kind: np.concatenate(parts) for kind, parts in columns.items()},
            sealed_us=sealed_us,
            summed=summed + 1,
        )
    return Merge(organization_id=snapshot.organization_id, day=day, part=part, rows=rows)


def _joined(snapshot: Snapshot, metric: int, kind: Kind, day: int) -> Array:
    rows = snapshot.connection.execute(
        "SELECT column FROM metric_columns WHERE organization_id = ? AND metric_code = ?"
        " AND kind = ? AND day = ? ORDER BY part",
        (snapshot.organization_id, metric, kind, day),
    )
    parts = [decode(column) for (column,) in rows]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def apply_merge(connection: sqlite3.Connection, merge: Merge) -> None:
    """Put the one part in the place of those that it was made of."""
    delete_day(connection, merge.organization_id, merge.day, merge.part)
    merge.rows.insert(connection)


# Naming every metric, kind and key lets the primary keys find the rows. The keys are found one
# after the other, since there may be a million labels.
_DELETES_OF_DAY = (
    "DELETE FROM metric_columns WHERE organization_id = ?1"
    " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
    " AND kind IN (0, 1, 2, 3) AND day = ?2 AND part <= ?3",
    "DELETE FROM metric_cells WHERE organization_id = ?1"
    " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
    " AND day = ?2 AND part <= ?3",
    "WITH RECURSIVE keys (key) AS ("
    " SELECT min(key) FROM label_sums WHERE organization_id = ?1 UNION ALL"
    " SELECT (SELECT min(key) FROM label_sums WHERE organization_id = ?1 AND key > keys.key)"
    " FROM keys WHERE key IS NOT NULL)"
    " DELETE FROM label_sums WHERE organization_id = ?1 AND key IN keys"
    " AND day = ?2 AND part <= ?3",
    "DELETE FROM metric_days WHERE organization_id = ?1 AND day = ?2 AND part <= ?3",
)


def delete_day(
    connection: sqlite3.Connection, organization_id: int, day: int, through: int
) -> None:
    """Delete the parts of a day up to number `through`, but not its sessions."""
    for statement in _DELETES_OF_DAY:
        connection.execute(statement, (organization_id, day, through))
    compacted.delete_of_day(connection, organization_id, day)
