"""Keys may have a label; a start of the service knows from when on events count in its totals."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Add the label of a key, and the first time of a start's totals; null where there is none."""
    db.execute("ALTER TABLE api_keys ADD COLUMN label TEXT")
    db.execute("ALTER TABLE live_launches ADD COLUMN counted_from_us INTEGER")
