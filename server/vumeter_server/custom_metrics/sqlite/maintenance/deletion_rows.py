"""The rows of `point_deletions`: which points are to be deleted, and how far that is.

A deletion is of the points of all batches before an empty one of its own, whose number it has. What
it writes of a day are segments with this number and the next ones, which are of empty batches, too.
It goes through three states: waiting, applied (no query sees the points), done.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT, encode_batch
from vumeter_server.custom_metrics.sqlite.formats.segment_groups import most_groups
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state, write_state
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import check_not_deleted
from vumeter_server.times.units import HOUR_US

# Whoever waits for a deletion reads its row soon after it is done.
DONE_KEPT_US = HOUR_US


@dataclass(frozen=True, kw_only=True, slots=True)
class PointDeletion:
    """A deletion: whose, its numbers, of which points, and how many they were once it is applied.

    Attributes:
        number: of the points of batches before it.
        last: the last number that it may give to segments.
    """

    organization_id: int
    number: int
    last: int
    query: DeleteQuery
    deleted: int | None
    is_done: bool


def add(
    connection: sqlite3.Connection, organization_id: int, query: DeleteQuery, now_us: int
) -> int:
    """Add a deletion, which will be carried out whatever happens, and return its number."""
    check_not_deleted(connection, organization_id)
    state = read_state(connection, organization_id)
    number, numbers = state.next_batch, _most_segments(connection, organization_id)
    nothing = encode_batch(np.empty(0, POINT))
    connection.executemany(
        "INSERT INTO metric_batches (organization_id, batch_number, points, columns)"
        " VALUES (?, ?, 0, ?)",
        [(organization_id, each, nothing) for each in range(number, number + numbers)],
    )
    state.next_batch += numbers
    write_state(connection, organization_id, state)
    connection.execute(
        "DELETE FROM point_deletions WHERE is_done AND done_us < ?", (now_us - DONE_KEPT_US,)
    )
    connection.execute(
        "INSERT INTO point_deletions (organization_id, batch_number, query, created_us, numbers)"
        " VALUES (?, ?, ?, ?, ?)",
        (organization_id, number, _written(query), now_us, numbers),
    )
    return number


def _most_segments(connection: sqlite3.Connection, organization_id: int) -> int:
    """Return as how many segments a day may be written again: it is joined as compaction does."""
    (flushed,) = connection.execute(
        "SELECT coalesce(max(points), 0) FROM (SELECT sum(points) AS points FROM metric_days"
        " WHERE organization_id = ? GROUP BY day)",
        (organization_id,),
    ).fetchone()
    (in_log,) = connection.execute(
        "SELECT coalesce(sum(points), 0) FROM metric_batches WHERE organization_id = ?",
        (organization_id,),
    ).fetchone()
    return most_groups(flushed + in_log)


def read(connection: sqlite3.Connection, organization_id: int, number: int) -> PointDeletion | None:
    """Return a deletion; None if there is none of that number."""
    row = connection.execute(
        "SELECT organization_id, batch_number, numbers, query, deleted, is_done"
        " FROM point_deletions WHERE organization_id = ? AND batch_number = ?",
        (organization_id, number),
    ).fetchone()
    return None if row is None else _deletion(row)


def read_all_under_way(connection: sqlite3.Connection) -> list[PointDeletion]:
    """Return the deletions that are not done, of every organization, in order."""
    rows = connection.execute(
        "SELECT organization_id, batch_number, numbers, query, deleted, is_done"
        " FROM point_deletions WHERE is_done = 0 ORDER BY organization_id, batch_number"
    )
    return [_deletion(row) for row in rows.fetchall()]


def under_way(snapshot: Snapshot) -> list[int]:
    """Return the numbers of an organization's deletions that are not done."""
    rows = snapshot.connection.execute(
        "SELECT batch_number FROM point_deletions WHERE organization_id = ? AND is_done = 0",
        (snapshot.organization_id,),
    )
    return [number for (number,) in rows]


def set_applied(
    connection: sqlite3.Connection, organization_id: int, number: int, deleted: int
) -> None:
    """Say that no query sees the points any more."""
    connection.execute(
        "UPDATE point_deletions SET deleted = ? WHERE organization_id = ? AND batch_number = ?",
        (deleted, organization_id, number),
    )


def set_done(
    connection: sqlite3.Connection, organization_id: int, number: int, now_us: int
) -> None:
    """Say that nothing is left to do, and forget what was asked."""
    connection.execute(
        "UPDATE point_deletions SET is_done = 1, done_us = ?, query = ''"
        " WHERE organization_id = ? AND batch_number = ?",
        (now_us, organization_id, number),
    )


def remove(connection: sqlite3.Connection, organization_id: int, number: int) -> None:
    """Forget a deletion."""
    connection.execute(
        "DELETE FROM point_deletions WHERE organization_id = ? AND batch_number = ?",
        (organization_id, number),
    )


def _written(query: DeleteQuery) -> str:
    return msgspec.json.encode(query).decode()


def _deletion(row: tuple[int, int, int, str, int | None, int]) -> PointDeletion:
    organization_id, number, numbers, query, deleted, is_done = row
    return PointDeletion(
        organization_id=organization_id,
        number=number,
        last=number + numbers - 1,
        query=msgspec.json.decode(query, type=DeleteQuery) if query else DeleteQuery(),
        deleted=deleted,
        is_done=bool(is_done),
    )
