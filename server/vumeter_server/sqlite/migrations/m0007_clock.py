"""The last time that a server saw, so that one wrong reading of the clock deletes nothing."""

from sqlite_utils import Database

# A database of an earlier version saw at least the times at which it recorded something.
_INSERT = """
    INSERT INTO server_clock (row, seen_us) SELECT 1, max(us) FROM (
        SELECT max(created_us) AS us FROM idempotency_keys
        UNION ALL SELECT max(sealed_us) FROM metric_days
        UNION ALL SELECT max(last_received_us) FROM live_tenants
        UNION ALL SELECT max(created_us) FROM api_keys
        UNION ALL SELECT max(last_used_us) FROM api_keys
    )
"""


def migrate(db: Database) -> None:
    """Create `server_clock`, with one row once a time was seen."""
    db.execute("""
        CREATE TABLE server_clock (
            row INTEGER PRIMARY KEY CHECK (row = 1),
            seen_us INTEGER,
            untrusted_for_us INTEGER NOT NULL DEFAULT 0,
            is_accepted INTEGER NOT NULL DEFAULT 0
        ) STRICT
    """)
    db.execute(_INSERT)
