"""Who changed or took away what."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the table, which nobody can change but by adding to it."""
    # By a key (key_id), by a command (user, and command if it was one of ours), or by the server.
    db.execute("""
        CREATE TABLE audit_entries (
            entry_number INTEGER PRIMARY KEY AUTOINCREMENT,
            occurred_us INTEGER NOT NULL,
            key_id TEXT,
            user TEXT,
            command TEXT,
            action TEXT NOT NULL,
            organization TEXT,
            target TEXT NOT NULL,
            details TEXT NOT NULL
        ) STRICT
    """)
    for change in ("UPDATE", "DELETE"):
        db.execute(f"""
            CREATE TRIGGER audit_entries_{change.lower()} BEFORE {change} ON audit_entries
            BEGIN SELECT raise(ABORT, 'audit entries are never changed'); END
        """)
