"""Keys for live metrics may be bound to one tenant."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Add the tenant of a key, null for a key that is bound to none."""
    db.execute("ALTER TABLE api_keys ADD COLUMN tenant_id TEXT")
