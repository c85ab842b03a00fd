"""Custom metrics: metrics with distributions among their points."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Add a mark to `metrics`: whether a distribution was ever recorded of one."""
    db.execute("ALTER TABLE metrics ADD COLUMN has_distributions INTEGER NOT NULL DEFAULT 0")
