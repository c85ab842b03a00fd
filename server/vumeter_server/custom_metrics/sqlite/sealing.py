"""Moves points from the log into days of columns, in the background and unseen by queries.

Sealing takes the batches of the log up to some number, in one transaction: before it, queries see
the points in the log, after it in the days. A day that was sealed in many parts is merged into one.
"""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.columns import (
    DAY_US,
    POINT,
    Array,
    Kind,
    decode,
    encode,
    encode_session,
)
from vumeter_server.custom_metrics.sqlite.dictionaries import read_state, write_state

# The log of an organization is sealed when it holds this many points or batches: it is what every
# query reads in full.
SEAL_AT_POINTS = 65_536
SEAL_AT_BATCHES = 2_000
# A sealing takes at most this many points, so that its memory is bounded.
SEAL_AT_MOST = 524_288
MERGE_AT_PARTS = 8

ColumnRow = tuple[int, int, int, int, int, int, bytes]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sealing:
    """What one sealing writes: rows of metric_columns, session_points and metric_days."""

    organization_id: int
    part: int
    columns: list[ColumnRow]
    sessions: list[tuple[int, int, int, int, bytes]]
    days: list[tuple[int, int, int, int]]


def due(connection: sqlite3.Connection, *, everything: bool = False) -> list[int]:
    """Return the organizations whose log should be sealed."""
    points, batches = (0, 0) if everything else (SEAL_AT_POINTS, SEAL_AT_BATCHES)
    rows = connection.execute(
        "SELECT organization_id FROM metric_batches GROUP BY organization_id"
        " HAVING sum(points) > ? OR count(*) > ? ORDER BY organization_id",
        (points, batches),
    )
    return [organization_id for (organization_id,) in rows]


def prepare(connection: sqlite3.Connection, organization_id: int) -> Sealing | None:
    """Read the oldest batches of the log and lay their points out by day."""
    part = -1
    blobs: list[bytes] = []
    taken = 0
    for number, points, columns in connection.execute(
        "SELECT batch_number, points, columns FROM metric_batches"
        " WHERE organization_id = ? ORDER BY batch_number",
        (organization_id,),
    ):
        if blobs and taken + points > SEAL_AT_MOST:
            break
        part = number
        taken += points
        blobs.append(columns)
    if not blobs:
        return None
    points = np.frombuffer(b"".join(blobs), POINT)
    names = connection.execute(
        "SELECT metric_code FROM metrics WHERE organization_id = ? AND name IS NOT NULL",
        (organization_id,),
    )
    points = points[np.isin(points["metric"], [code for (code,) in names])]
    days = points["time_us"] // DAY_US
    return Sealing(
        organization_id=organization_id,
        part=part,
        columns=_column_rows(organization_id, part, points, days),
        sessions=_session_rows(organization_id, part, points, days),
        days=[
            (organization_id, int(day), part, int(count))
            for day, count in zip(*np.unique(days, return_counts=True), strict=True)
        ],
    )


def apply(connection: sqlite3.Connection, sealing: Sealing) -> None:
    """Write a sealing and take its points out of the log."""
    connection.executemany(
        "INSERT INTO metric_columns VALUES (?, ?, ?, ?, ?, ?, ?)", sealing.columns
    )
    connection.executemany("INSERT INTO session_points VALUES (?, ?, ?, ?, ?)", sealing.sessions)
    connection.executemany("INSERT INTO metric_days VALUES (?, ?, ?, ?)", sealing.days)
    connection.execute(
        "DELETE FROM metric_batches WHERE organization_id = ? AND batch_number <= ?",
        (sealing.organization_id, sealing.part),
    )
    state = read_state(connection, sealing.organization_id)
    state.sealed_through = sealing.part
    write_state(connection, sealing.organization_id, state)


def _column_rows(
    organization_id: int, part: int, points: npt.NDArray[np.void], days: npt.NDArray[np.int64]
) -> list[ColumnRow]:
    order = np.lexsort((points["time_us"], points["metric"], days))
    points, days = points[order], days[order]
    rows = []
    for start, stop in _runs(days, points["metric"]):
        day, metric = int(days[start]), int(points["metric"][start])
        run = points[start:stop]
        columns: dict[Kind, Array] = {
            Kind.TIME: run["time_us"] - day * DAY_US,
            Kind.VALUE: run["value"],
            Kind.SERIES: run["series"],
            Kind.SESSION: run["session"].astype(np.int64) + 1,
        }
        rows += [
            (organization_id, metric, int(kind), day, part, stop - start, encode(column))
            for kind, column in columns.items()
        ]
    return rows


def _session_rows(
    organization_id: int, part: int, points: npt.NDArray[np.void], days: npt.NDArray[np.int64]
) -> list[tuple[int, int, int, int, bytes]]:
    of_session = points["session"] >= 0
    points, days = points[of_session], days[of_session]
    order = np.lexsort((days, points["session"]))
    points, days = points[order], days[order]
    return [
        (
            organization_id,
            int(points["session"][start]),
            part,
            int(days[start]),
            encode_session(points[start:stop]),
        )
        for start, stop in _runs(points["session"], days)
    ]


def _runs(first: Array, second: Array) -> list[tuple[int, int]]:
    """Return the bounds of the runs in which neither column changes."""
    if not len(first):
        return []
    changes = np.flatnonzero((first[1:] != first[:-1]) | (second[1:] != second[:-1])) + 1
    bounds = [0, *changes.tolist(), len(first)]
    return list(itertools.pairwise(bounds))


def days_to_merge(connection: sqlite3.Connection, *, parts: int) -> list[tuple[int, int]]:
    """Return the organizations and days with at least `parts` parts."""
    return connection.execute(
        "SELECT organization_id, day FROM metric_days GROUP BY organization_id, day"
        " HAVING count(*) >= ? ORDER BY organization_id, day",
        (parts,),
    ).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Merge:
    """What merging a day writes: one part in the place of all up to its number."""

    organization_id: int
    day: int
    part: int
    points: int
    columns: list[ColumnRow]


def prepare_merge(connection: sqlite3.Connection, organization_id: int, day: int) -> Merge:
    """Read all parts of a day and lay their points out as one, without those of deleted metrics."""
    (last_part,) = connection.execute(
        "SELECT max(part) FROM metric_days WHERE organization_id = ? AND day = ?",
        (organization_id, day),
    ).fetchone()
    rows = []
    total = 0
    metrics = connection.execute(
        "SELECT metric_code FROM metrics WHERE organization_id = ? AND name IS NOT NULL",
        (organization_id,),
    ).fetchall()
    for (metric,) in metrics:
        columns = {kind: _joined(connection, organization_id, metric, kind, day) for kind in Kind}
        points = len(columns[Kind.TIME])
        if not points:
            continue
        total += points
        order = np.argsort(columns[Kind.TIME], kind="stable")
        rows += [
            (organization_id, metric, int(kind), day, last_part, points, encode(column[order]))
            for kind, column in columns.items()
        ]
    return Merge(
        organization_id=organization_id, day=day, part=last_part, points=total, columns=rows
    )


def _joined(
    connection: sqlite3.Connection, organization_id: int, metric: int, kind: Kind, day: int
) -> Array:
    rows = connection.execute(
        "SELECT column FROM metric_columns WHERE organization_id = ? AND metric_code = ?"
        " AND kind = ? AND day = ? ORDER BY part",
        (organization_id, metric, kind, day),
    )
    parts = [decode(column) for (column,) in rows]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def apply_merge(connection: sqlite3.Connection, merge: Merge) -> None:
    """Put the one part in the place of those that it was made of."""
    where = (merge.organization_id, merge.day, merge.part)
    # Naming every metric and kind lets the primary key find the rows.
    connection.execute(
        "DELETE FROM metric_columns WHERE organization_id = ?1 AND kind IN (0, 1, 2, 3)"
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        " AND day = ?2 AND part <= ?3",
        where,
    )
    connection.execute(
        "DELETE FROM metric_days WHERE organization_id = ? AND day = ? AND part <= ?", where
    )
    connection.executemany("INSERT INTO metric_columns VALUES (?, ?, ?, ?, ?, ?, ?)", merge.columns)
    if merge.points:
        connection.execute(
            "INSERT INTO metric_days VALUES (?, ?, ?, ?)",
            (merge.organization_id, merge.day, merge.part, merge.points),
        )
