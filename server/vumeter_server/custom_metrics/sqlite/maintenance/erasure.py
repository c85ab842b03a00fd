"""Erases everything that one organization recorded: first from sight, then from the file."""

from __future__ import annotations

from collections.abc import Callable

from vumeter_server.custom_metrics.sqlite.ingest.session_codes import session_hash
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state, write_state
from vumeter_server.sqlite.library import sqlite3

# In the order in which they go. What queries look up first goes first.
TABLES = (
    "sessions",
    "session_points",
    "metric_columns",
    "metric_cells",
    "label_sums",
    "series_blocks",
    "series_sums",
    "metric_uses",
    "series",
    "labels",
    "point_deletions",
    "dropped_days",
    "idempotency_keys",
    "rejections",
)
_SESSIONS_AT_ONCE = 1_000


def hide(connection: sqlite3.Connection, organization_id: int) -> None:
    """Take everything from the sight of queries, and from the background work."""
    for table in ("metrics", "metric_days", "metric_batches"):
        connection.execute(
            f"DELETE FROM {table} WHERE organization_id = ?",  # noqa: S608 - one of ours
            (organization_id,),
        )
    state = read_state(connection, organization_id)
    state.sealed_through = state.next_batch - 1
    state.deletions += 1
    state.layout += 1
    write_state(connection, organization_id, state)


def erase_some_sessions(connection: sqlite3.Connection, organization_id: int) -> bool:
    """Erase some sessions with what finds them by name; False if none is left."""
    found = connection.execute(
        "SELECT session_code, name FROM sessions WHERE organization_id = ? LIMIT ?",
        (organization_id, _SESSIONS_AT_ONCE),
    ).fetchall()
    connection.executemany(
        "DELETE FROM session_hashes WHERE hash = ? AND organization_id = ? AND session_code = ?",
        [(session_hash(organization_id, name), organization_id, code) for code, name in found],
    )
    connection.executemany(
        "DELETE FROM sessions WHERE organization_id = ? AND session_code = ?",
        [(organization_id, code) for code, _ in found],
    )
    return len(found) == _SESSIONS_AT_ONCE


def forget(
    connection: sqlite3.Connection, organization_id: int, forget_symbols: Callable[[int], None]
) -> None:
    """Begin again with the numbers of metrics, labels and sessions; those of batches go on."""
    state = read_state(connection, organization_id)
    state.metrics = state.labels = state.series = state.sessions = state.uses = 0
    state.deletions += 1
    write_state(connection, organization_id, state)
    forget_symbols(organization_id)
