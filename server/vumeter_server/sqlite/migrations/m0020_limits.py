"""Limits of organizations, and what was rejected of their recordings."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the tables."""
    # Limits of an organization's own; of those that have no row the settings are the defaults.
    db.execute("""
        CREATE TABLE organization_limits (
            organization_id INTEGER NOT NULL REFERENCES organizations,
            name TEXT NOT NULL,
            value INTEGER NOT NULL,
            PRIMARY KEY (organization_id, name)
        ) STRICT, WITHOUT ROWID
    """)
    # Requests and points that were rejected, by hour since the epoch; dropped after a day.
    db.execute("""
        CREATE TABLE rejections (
            organization_id INTEGER NOT NULL,
            hour INTEGER NOT NULL,
            key_id TEXT NOT NULL,
            reason TEXT NOT NULL,
            requests INTEGER NOT NULL,
            points INTEGER NOT NULL,
            last_us INTEGER NOT NULL,
            PRIMARY KEY (organization_id, hour, key_id, reason)
        ) STRICT, WITHOUT ROWID
    """)
