"""How SQLite keeps keys, beside the contract."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from vumeter_server.access.keys import secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.access.store import KeyInfo
from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.library import sqlite3

KEY = "vmk_aaaaaaaaaaaaaaaaaaaa"
BEFORE = """
    DROP TABLE api_keys;
    CREATE TABLE api_keys (
        key_id TEXT PRIMARY KEY,
        organization_id INTEGER NOT NULL REFERENCES organizations,
        role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
        secret_sha256 BLOB NOT NULL,
        created_us INTEGER NOT NULL,
        expires_us INTEGER,
        revoked_us INTEGER,
        last_used_us INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX api_keys_by_organization ON api_keys (organization_id);
    DROP TABLE sign_in_codes;
    ALTER TABLE live_launches DROP COLUMN counted_from_us;
    ALTER TABLE demo_data DROP COLUMN from_us;
    DELETE FROM _sqlite_migrations WHERE name IN (
        'm0008_roles', 'm0013_tenant_of_key', 'm0023_sign_in', 'm0024_labels_and_starts'
    );
    INSERT INTO organizations (organization_id, name, created_us) VALUES (7, 'acme', 1);
"""


def test_keys_of_an_earlier_version_are_kept_when_roles_become_free(tmp_path: Path) -> None:
    path = tmp_path / "vumeter.db"
    open_database(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(BEFORE)
        connection.execute(
            "INSERT INTO api_keys VALUES (?, 7, 'member', ?, 2, 3, 4, 5)",
            (KEY, secret_digest("secret")),
        )
        connection.commit()
    database = open_database(path)
    assert SqliteKeyAdministration(database).list_keys() == [
        KeyInfo(
            key_id=KEY,
            organization="acme",
            role=Role.MEMBER,
            created_us=2,
            expires_us=3,
            revoked_us=4,
            last_used_us=5,
            tenant_id=None,
        )
    ]
    database.write(
        lambda connection: connection.execute("UPDATE api_keys SET role = 'a role of tomorrow'")
    )
    indexes = database.read(
        lambda connection: connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'api_keys'"
        ).fetchall()
    )
    assert ("api_keys_by_organization",) in indexes
