"""The last time that a server saw, in SQLite: the one row of `server_clock`."""

from __future__ import annotations

from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.runtime.clock_guard import ClockRecord
from vumeter_server.sqlite import audit
from vumeter_server.sqlite.database import Database
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.readers import Readers
from vumeter_server.sqlite.writer import Writer


def read_record(connection: sqlite3.Connection) -> ClockRecord | None:
    """Return what was saved last, None if no time was."""
    seen_us, untrusted_for_us = connection.execute(
        "SELECT seen_us, untrusted_for_us FROM server_clock"
    ).fetchone()
    if seen_us is None:
        return None
    return ClockRecord(seen_us=seen_us, untrusted_for_us=untrusted_for_us)


class SqliteClockRecordStore:
    """Implements ClockRecordStore for a running server."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    async def read(self) -> ClockRecord | None:
        """Return what was saved last, None if no time was."""
        return await self._readers.run(read_record)

    async def save(self, record: ClockRecord, *, may_go_back: bool = False) -> None:
        """Keep `record` in place of the earlier one; of two times the later."""
        await self._writer.run(
            lambda connection: connection.execute(
                "UPDATE server_clock SET untrusted_for_us = ?1,"
                " seen_us = CASE WHEN ?2 THEN ?3 ELSE max(ifnull(seen_us, 0), ?3) END",
                (record.untrusted_for_us, may_go_back, record.seen_us),
            )
        )

    async def take_acceptance(self) -> bool:
        """Return whether an operator accepted the clock since this was asked last."""
        (is_accepted,) = await self._readers.run(
            lambda connection: connection.execute("SELECT is_accepted FROM server_clock").fetchone()
        )
        if is_accepted:
            await self._writer.run(
                lambda connection: connection.execute("UPDATE server_clock SET is_accepted = 0")
            )
        return bool(is_accepted)


class SqliteClockAdministration:
    """Implements ClockAdministration on a database file."""

    def __init__(self, database: Database, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def record(self) -> ClockRecord | None:
        """Return what was saved last, None if no time was."""
        return self._database.read(read_record)

    def accept(self) -> None:
        """Say that the clock is right."""

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE server_clock SET is_accepted = 1")
            audit.append(connection, self._clock(), "clock.accept")

        self._database.write(job)
