"""Custom metrics: dictionaries, the log of recorded batches, and days of columns.

Codes count from 0 within an organization and are never used again, so that they index arrays.
Times are microseconds since the epoch.
"""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the tables of custom metrics."""
    # One row an organization, changed by every commit that changes what its queries see: a reader
    # whose caches are of the same version needs to read nothing else to know that they are good.
    db.execute("""
        CREATE TABLE metric_states (
            organization_id INTEGER PRIMARY KEY REFERENCES organizations,
            version INTEGER NOT NULL,
            metrics INTEGER NOT NULL,
            labels INTEGER NOT NULL,
            series INTEGER NOT NULL,
            sessions INTEGER NOT NULL,
            uses INTEGER NOT NULL,
            deletions INTEGER NOT NULL,
            next_batch INTEGER NOT NULL,
            sealed_through INTEGER NOT NULL
        ) STRICT
    """)
    # A deleted metric keeps its code and loses its name: its points, which go later, are nobody's.
    db.execute("""
        CREATE TABLE metrics (
            organization_id INTEGER NOT NULL,
            metric_code INTEGER NOT NULL,
            name TEXT,
            type INTEGER NOT NULL CHECK (type IN (1, 2, 3)),
            PRIMARY KEY (organization_id, metric_code)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute(
        "CREATE UNIQUE INDEX metrics_by_name ON metrics (organization_id, name)"
        " WHERE name IS NOT NULL"
    )
    # agent_id and environment_id are labels too; users cannot name theirs so.
    db.execute("""
        CREATE TABLE labels (
            organization_id INTEGER NOT NULL,
            label_code INTEGER NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (organization_id, label_code)
        ) STRICT, WITHOUT ROWID
    """)
    # A series is a set of labels: their codes in ascending order, 4 bytes each, little-endian.
    db.execute("""
        CREATE TABLE series (
            organization_id INTEGER NOT NULL,
            series_code INTEGER NOT NULL,
            label_codes BLOB NOT NULL,
            PRIMARY KEY (organization_id, series_code)
        ) STRICT, WITHOUT ROWID
    """)
    # Which labels a metric's points have by agent (-1: none); label -1 says that there are points.
    db.execute("""
        CREATE TABLE metric_uses (
            organization_id INTEGER NOT NULL,
            use_code INTEGER NOT NULL,
            metric_code INTEGER NOT NULL,
            agent_code INTEGER NOT NULL,
            label_code INTEGER NOT NULL,
            PRIMARY KEY (organization_id, use_code)
        ) STRICT, WITHOUT ROWID
    """)
    # Found by a hash of the name, so that a name stands once: 8 bytes of BLAKE2b of the
    # organization's id, a colon and the name, as a signed integer.
    db.execute("""
        CREATE TABLE sessions (
            organization_id INTEGER NOT NULL,
            session_code INTEGER NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (organization_id, session_code)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE session_hashes (
            hash INTEGER NOT NULL,
            organization_id INTEGER NOT NULL,
            session_code INTEGER NOT NULL,
            PRIMARY KEY (hash, organization_id, session_code)
        ) STRICT, WITHOUT ROWID
    """)
    # The log: each recorded batch as columns, until its points are sealed into days.
    db.execute("""
        CREATE TABLE metric_batches (
            organization_id INTEGER NOT NULL,
            batch_number INTEGER NOT NULL,
            points INTEGER NOT NULL,
            columns BLOB NOT NULL,
            PRIMARY KEY (organization_id, batch_number)
        ) STRICT
    """)
    # A day of a metric as columns; late points add further parts to a day until they are merged.
    # `kind` says which column the blob is; the encoding is that of columns.py.
    db.execute("""
        CREATE TABLE metric_columns (
            organization_id INTEGER NOT NULL,
            metric_code INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            day INTEGER NOT NULL,
            part INTEGER NOT NULL,
            points INTEGER NOT NULL,
            column BLOB NOT NULL,
            PRIMARY KEY (organization_id, metric_code, kind, day, part)
        ) STRICT
    """)
    # The same points once more by session, so that one session is read at once, in the order in
    # which they were sealed.
    db.execute("""
        CREATE TABLE session_points (
            organization_id INTEGER NOT NULL,
            session_code INTEGER NOT NULL,
            part INTEGER NOT NULL,
            day INTEGER NOT NULL,
            columns BLOB NOT NULL,
            PRIMARY KEY (organization_id, session_code, part, day)
        ) STRICT, WITHOUT ROWID
    """)
    # The parts of each day. A part has the number of the last batch that it holds.
    db.execute("""
        CREATE TABLE metric_days (
            organization_id INTEGER NOT NULL,
            day INTEGER NOT NULL,
            part INTEGER NOT NULL,
            points INTEGER NOT NULL,
            PRIMARY KEY (organization_id, day, part)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE idempotency_keys (
            organization_id INTEGER NOT NULL,
            idempotency_key TEXT NOT NULL,
            content_sha256 BLOB NOT NULL,
            recorded INTEGER NOT NULL,
            created_us INTEGER NOT NULL,
            PRIMARY KEY (organization_id, idempotency_key)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_us)")
