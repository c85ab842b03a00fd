"""Reads the rows of `session_points`: the flushed points once more, by session.

Rows of a deletion of points, and of days that retention drops, are there before and after they are
to be seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from vumeter_server.sqlite.library import sqlite3


def read_session_rows(
    connection: sqlite3.Connection, organization_id: int, session_code: int, most_bytes: int
) -> list[bytes] | None:
    """Return what there is of the flushed points of a session, in the order of recording.

    None if they take more than `most_bytes`. Of so much, most is not read.
    """
    # SQLite reads a blob as a whole, but its length without it.
    rows = connection.execute(
        "SELECT part, day, CASE WHEN length(columns) <= ? THEN columns END FROM session_points"
        " WHERE organization_id = ? AND session_code = ? ORDER BY part, day",
        (most_bytes, organization_id, session_code),
    )
    found = []
    for row in rows:
        most_bytes -= most_bytes + 1 if row[2] is None else len(row[2])
        if most_bytes < 0:
            return None
        found.append(row)
    return [columns for _, columns in _Hidden.of(connection, organization_id).shown(found)]


def read_all_session_rows(
    connection: sqlite3.Connection, organization_id: int
) -> Iterator[tuple[int, int, bytes]]:
    """Yield session, day and points of all that there is of flushed points by session."""
    hidden = _Hidden.of(connection, organization_id)
    rows = connection.execute(
        "SELECT session_code, part, day, columns FROM session_points WHERE organization_id = ?"
        " ORDER BY session_code, part, day",
        (organization_id,),
    )
    for session, of_session in itertools.groupby(rows, key=itemgetter(0)):
        for day, columns in hidden.shown([row[1:] for row in of_session]):
            yield session, day, columns


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hidden:
    """Rows of `session_points` that are there, and that nobody is to see.

    Attributes:
        deletions: the numbers that deletions under way give to rows, and of which of them: None
            until it is applied.
        dropped: days that retention is dropping, and up to which number.
    """

    deletions: Mapping[int, int | None]
    dropped: Mapping[int, int]

    @classmethod
    def of(cls, connection: sqlite3.Connection, organization_id: int) -> _Hidden:
        """Read what is hidden of an organization."""
        deletions = connection.execute(
            "SELECT batch_number, numbers, deleted IS NOT NULL FROM point_deletions"
            " WHERE organization_id = ? AND is_done = 0",
            (organization_id,),
        )
        dropped = connection.execute(
            "SELECT day, through FROM dropped_days WHERE organization_id = ?", (organization_id,)
        )
        return cls(
            deletions={
                part: number if is_applied else None
                for number, numbers, is_applied in deletions
                for part in range(number, number + numbers)
            },
            dropped=dict(dropped.fetchall()),
        )

    def shown(self, rows: Sequence[tuple[int, int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yield day and points of the rows of a session that there are.

        Rows with the numbers of a deletion hold what that leaves of a session's day: there are none
        until the deletion is applied, and then there are none before.
        """
        latest = {day: through + 1 for day, through in self.dropped.items()}
        for part, day, _ in rows if self.deletions else ():
            if (number := self.deletions.get(part)) is not None:
                latest[day] = max(number, latest.get(day, -1))
        for part, day, columns in rows:
            if self.deletions.get(part, part) is not None and part >= latest.get(day, -1):
                yield day, columns
