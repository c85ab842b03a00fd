"""Labels of keys, from when on a start counts in totals, and demo data that is extended."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Add the columns; null is no label, no such time, and demo data from its beginning."""
    db.execute("ALTER TABLE api_keys ADD COLUMN label TEXT")
    db.execute("ALTER TABLE live_launches ADD COLUMN counted_from_us INTEGER")
    db.execute("ALTER TABLE demo_data ADD COLUMN from_us INTEGER")
