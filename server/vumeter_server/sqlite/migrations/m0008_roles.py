"""Keys of any role: only the code lists the roles, so that a new one needs no migration."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Rebuild `api_keys` without the CHECK of its roles; SQLite cannot drop one in place."""
    db.execute("""
        CREATE TABLE api_keys_of_any_role (
            key_id TEXT PRIMARY KEY,
            organization_id INTEGER NOT NULL REFERENCES organizations,
            role TEXT NOT NULL,
            secret_sha256 BLOB NOT NULL,
            created_us INTEGER NOT NULL,
            expires_us INTEGER,
            revoked_us INTEGER,
            last_used_us INTEGER
        ) STRICT, WITHOUT ROWID
    """)
    columns = (
        "key_id, organization_id, role, secret_sha256,"
        " created_us, expires_us, revoked_us, last_used_us"
    )
    db.execute(
        f"INSERT INTO api_keys_of_any_role ({columns}) SELECT {columns} FROM api_keys"  # noqa: S608
    )
    db.execute("DROP TABLE api_keys")
    db.execute("ALTER TABLE api_keys_of_any_role RENAME TO api_keys")
    db.execute("CREATE INDEX api_keys_by_organization ON api_keys (organization_id)")
