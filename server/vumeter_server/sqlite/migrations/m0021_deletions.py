"""Deletion of tenants and organizations, and when deletions were done."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the table of tenants' deletions, and columns for when something was done."""
    # Whoever waits for a deletion reads its row for a while after it is done.
    db.execute("ALTER TABLE point_deletions ADD COLUMN done_us INTEGER")
    db.execute("UPDATE point_deletions SET done_us = created_us WHERE is_done")
    # When nothing was left of an organization that was deleted.
    db.execute("ALTER TABLE organizations ADD COLUMN erased_us INTEGER")
    # A deletion waits (it has an id and no number), is applied (a number and no id: nobody sees the
    # tenant, and rows of that number are left), and is done. The rest is what it took.
    db.execute("""
        CREATE TABLE live_deletions (
            deletion_no INTEGER PRIMARY KEY AUTOINCREMENT,
            tenant_id TEXT,
            tenant_no INTEGER,
            events INTEGER NOT NULL DEFAULT 0,
            calls INTEGER NOT NULL DEFAULT 0,
            done_us INTEGER
        ) STRICT
    """)
