"""Limits of organizations, what counts against them, and what was rejected."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the tables; which symbols are out of use is found when the server runs next."""
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
    # Codes that deletions left without points: they do not count until they are recorded again.
    # Kind 1 is of metrics, 2 of labels, 3 of series.
    db.execute("""
        CREATE TABLE unused_symbols (
            organization_id INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            code INTEGER NOT NULL,
            PRIMARY KEY (organization_id, kind, code)
        ) STRICT, WITHOUT ROWID
    """)
    # Up to which deletions `unused_symbols` is: `deletions` + `deleted_through` of then.
    db.execute("ALTER TABLE metric_states ADD COLUMN unused_through INTEGER NOT NULL DEFAULT -1")
