"""Links that open the dashboard signed in."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the table of one-time codes; mark the keys that they are exchanged for."""
    db.execute("""
        CREATE TABLE sign_in_codes (
            code_sha256 BLOB PRIMARY KEY,
            organization_id INTEGER NOT NULL REFERENCES organizations,
            for_live INTEGER NOT NULL,
            expires_us INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("ALTER TABLE api_keys ADD COLUMN by_sign_in INTEGER NOT NULL DEFAULT 0")
