"""Custom metrics: rollups with minima and maxima."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Note which days have none; compaction writes these days again."""
    # 0 for a part whose rollups were written without minima and maxima.
    db.execute("ALTER TABLE metric_days ADD COLUMN has_extremes INTEGER NOT NULL DEFAULT 1")
    db.execute("UPDATE metric_days SET has_extremes = 0")
