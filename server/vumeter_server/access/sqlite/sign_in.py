"""Codes of sign-in links in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vumeter_server.access.keys import new_key, secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.sign_in import (
    CODE_FOR_US,
    EXPIRED_KEYS_STAY_FOR_US,
    KEYS_FOR_US,
    SignInKey,
    new_code,
    roles_of,
)
from vumeter_server.runtime.actors import SERVER
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.sqlite import Database, Readers, Writer, audit
from vumeter_server.sqlite.library import sqlite3


class SqliteSignInAdministration:
    """Creates codes, beside a running server or without one; see SignInAdministration."""

    def __init__(self, database: Database, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def create_code(self, organization: str, *, for_live: bool) -> str | None:
        """Create a code; None if there is no such organization."""
        code = new_code()

        def job(connection: sqlite3.Connection) -> str | None:
            found = connection.execute(
                "SELECT organization_id FROM organizations WHERE name = ?", (organization,)
            ).fetchone()
            if found is None:
                return None
            now_us = self._clock()
            connection.execute(
                "INSERT INTO sign_in_codes (code_sha256, organization_id, for_live, expires_us)"
                " VALUES (?, ?, ?, ?)",
                (secret_digest(code), *found, int(for_live), now_us + CODE_FOR_US),
            )
            audit.append(
                connection,
                now_us,
                "sign_in.create",
                organization_id=found[0],
                details={"live": for_live},
            )
            return code

        return self._database.write(job)


class SqliteSignInCodes:
    """Redeems codes for a running server; see SignInCodes."""

    def __init__(
        self,
        readers: Readers,
        writer: Writer,
        clock: Clock,
        deletion_us: Callable[[], int | None] | None = None,
    ) -> None:
        """Take what it needs.

        `deletion_us` returns the time by which old data may be deleted, None while the machine's
        clock is not trusted; without it that is `clock`.
        """
        self._readers = readers
        self._writer = writer
        self._clock = clock
        self._deletion_us = deletion_us or clock

    async def redeem(self, code_sha256: bytes) -> Sequence[SignInKey]:
        """Use a code up, and create its keys."""
        # Who guesses codes does not keep the writer busy.
        found = await self._readers.run(
            lambda connection: connection.execute(
                "SELECT 1 FROM sign_in_codes WHERE code_sha256 = ?", (code_sha256,)
            ).fetchone()
        )
        if found is None:
            return ()
        deletion_us = self._deletion_us()
        return await self._writer.run(
            lambda connection: self._exchange(connection, code_sha256, deletion_us)
        )

    def _exchange(
        self, connection: sqlite3.Connection, code_sha256: bytes, deletion_us: int | None
    ) -> list[SignInKey]:
        now_us = self._clock()
        found = connection.execute(
            "DELETE FROM sign_in_codes WHERE code_sha256 = ?"
            " RETURNING organization_id, for_live, expires_us",
            (code_sha256,),
        ).fetchone()
        if found is None or found[2] <= now_us:
            return []
        if deletion_us is not None:
            _drop_expired(connection, deletion_us)
        organization_id, for_live, _ = found
        return [
            _create_key(connection, organization_id, role, now_us)
            for role in roles_of(for_live=bool(for_live))
        ]


def _drop_expired(connection: sqlite3.Connection, deletion_us: int) -> None:
    """Drop codes that nobody used, and keys that signing in created long ago."""
    connection.execute("DELETE FROM sign_in_codes WHERE expires_us <= ?", (deletion_us,))
    connection.execute(
        "DELETE FROM api_keys WHERE by_sign_in AND expires_us <= ?",
        (deletion_us - EXPIRED_KEYS_STAY_FOR_US,),
    )


def _create_key(
    connection: sqlite3.Connection, organization_id: int, role: Role, now_us: int
) -> SignInKey:
    created = SignInKey(key=new_key(), role=role, expires_us=now_us + KEYS_FOR_US)
    connection.execute(
        "INSERT INTO api_keys"
        " (key_id, organization_id, role, secret_sha256, created_us, expires_us, by_sign_in)"
        " VALUES (?, ?, ?, ?, ?, ?, 1)",
        (
            created.key.key_id,
            organization_id,
            role.value,
            secret_digest(created.key.secret),
            now_us,
            created.expires_us,
        ),
    )
    audit.append(
        connection,
        now_us,
        "key.create",
        actor=SERVER,
        organization_id=organization_id,
        target=created.key.key_id,
        details={"role": role.value, "by": "sign_in"},
    )
    return created
