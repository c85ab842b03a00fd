"""Where sessions are found: by a hash of their names. Owns the table `session_hashes`."""

from __future__ import annotations

import hashlib

from vumeter_server.sqlite.library import sqlite3


def find_sessions(
    connection: sqlite3.Connection, organization_id: int, hashes: dict[str, int]
) -> dict[str, int]:
    """Return the codes of those sessions that there are; `hashes` are by their names."""
    # The cross joins keep SQLite from going through all sessions in search of the few.
    rows = connection.execute(
        "SELECT sessions.name, session_code FROM json_each(?2)"
        " CROSS JOIN session_hashes ON hash = value"
        " CROSS JOIN sessions USING (organization_id, session_code)"
        " WHERE session_hashes.organization_id = ?1",
        (organization_id, str(list(hashes.values()))),
    )
    # Another session may have the same hash.
    return {name: code for name, code in rows if name in hashes}


def find_session(connection: sqlite3.Connection, organization_id: int, name: str) -> int | None:
    """Return the code of a session."""
    row = connection.execute(
        "SELECT session_code FROM session_hashes"
        " JOIN sessions USING (organization_id, session_code)"
        " WHERE hash = ? AND organization_id = ? AND name = ?",
        (session_hash(organization_id, name), organization_id, name),
    ).fetchone()
    return None if row is None else int(row[0])


def session_hash(organization_id: int, name: str) -> int:
    """Return what a session is found by; see the migration that makes its table."""
    digest = hashlib.blake2b(f"{organization_id}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
