"""Keys may have a label, which says what a key is for."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Add the label of a key, null for a key without one."""
    db.execute("ALTER TABLE api_keys ADD COLUMN label TEXT")
