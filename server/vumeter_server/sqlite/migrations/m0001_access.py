"""Organizations and their API keys."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create `organizations` and `api_keys`."""
    db.execute("""
        CREATE TABLE organizations (
            organization_id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            created_us INTEGER NOT NULL
        ) STRICT
    """)
    db.execute("""
        CREATE TABLE api_keys (
            key_id TEXT PRIMARY KEY,
            organization_id INTEGER NOT NULL REFERENCES organizations,
            role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
            secret_sha256 BLOB NOT NULL,
            created_us INTEGER NOT NULL,
            expires_us INTEGER,
            revoked_us INTEGER,
            last_used_us INTEGER
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("CREATE INDEX api_keys_by_organization ON api_keys (organization_id)")
