"""Custom metrics: deletions of points that are under way, and what they have taken out."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the table of deletions, and what tells queries how far they are."""
    # A deletion is of the points of batches below `batch_number`, which is that of an empty batch.
    # `deleted` is null until queries no longer see them; then what is left of them is cleaned up.
    # The query is forgotten when the deletion is done.
    db.execute("""
        CREATE TABLE point_deletions (
            organization_id INTEGER NOT NULL,
            batch_number INTEGER NOT NULL,
            query TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            deleted INTEGER,
            is_done INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (organization_id, batch_number)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute(
        "CREATE INDEX point_deletions_under_way ON point_deletions (organization_id)"
        " WHERE is_done = 0"
    )
    # The number of the last deletion that queries see the outcome of.
    db.execute("ALTER TABLE metric_states ADD COLUMN deleted_through INTEGER NOT NULL DEFAULT -1")
    # The number of the deletion that takes a use out: it is none once `deleted_through` is as much.
    db.execute("ALTER TABLE metric_uses ADD COLUMN deleted_by INTEGER")
    # When an organization was deleted; its row stays, so that its number is never given again.
    db.execute("ALTER TABLE organizations ADD COLUMN deleted_us INTEGER")
