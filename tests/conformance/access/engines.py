"""The stores that have to keep the contract, and how a test opens one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from tests.clickhouse.places import PLACES, ClickHousePlace
from tests.conformance.access.memory_sign_in import MemorySignIn
from tests.conformance.access.memory_store import MemoryKeyStore
from tests.conformance.failing import Failure, memory_failures, sqlite_failures

from vumeter_server.access.audit import AuditAdministration, AuditLog
from vumeter_server.access.clickhouse.administration import (
    ClickHouseKeyAdministration,
    ClickHouseLimitAdministration,
)
from vumeter_server.access.clickhouse.audit import (
    ClickHouseAuditAdministration,
    ClickHouseAuditLog,
)
from vumeter_server.access.clickhouse.sign_in import (
    ClickHouseSignInAdministration,
    ClickHouseSignInCodes,
)
from vumeter_server.access.clickhouse.store import (
    ClickHouseDeletedOrganizations,
    ClickHouseKeyLookup,
)
from vumeter_server.access.sqlite.audit import SqliteAuditAdministration, SqliteAuditLog
from vumeter_server.access.sqlite.deleted_organizations import SqliteDeletedOrganizations
from vumeter_server.access.sqlite.limits import SqliteLimitAdministration
from vumeter_server.access.sqlite.sign_in import SqliteSignInAdministration, SqliteSignInCodes
from vumeter_server.access.sqlite.store import SqliteKeyAdministration, SqliteKeyLookup
from vumeter_server.access.store import (
    DeletedOrganizations,
    KeyAdministration,
    KeyLookup,
    LimitAdministration,
    SignInAdministration,
    SignInCodes,
)
from vumeter_server.sqlite import open_database

STARTED_US = 1_764_490_000_000_000


class SteppedClock:
    """A clock that a test moves; it never goes by itself."""

    def __init__(self) -> None:
        self.now_us = STARTED_US
        self.is_trusted = True

    def __call__(self) -> int:
        return self.now_us

    def deletion_us(self) -> int | None:
        return self.now_us if self.is_trusted else None


class Engine(Protocol):
    """A place that keeps organizations and keys."""

    @property
    def administration(self) -> KeyAdministration:
        """The side of the commands."""

    @property
    def limits(self) -> LimitAdministration:
        """The side of the commands for limits."""

    @property
    def sign_in(self) -> SignInAdministration:
        """The side of the commands that print links."""

    @property
    def audit(self) -> AuditAdministration:
        """The side of the commands for the audit."""

    def audit_log(self) -> AbstractAsyncContextManager[AuditLog]:
        """Open the audit as a server's process has it."""

    def codes(self) -> AbstractAsyncContextManager[SignInCodes]:
        """Open the side of one process of a server that exchanges codes of links."""

    def deleted(self) -> AbstractAsyncContextManager[DeletedOrganizations]:
        """Open the side of what is left to do of deleted organizations."""

    def lookup(self) -> AbstractAsyncContextManager[KeyLookup]:
        """Open the side of one process of a server."""

    @property
    def failures(self) -> Mapping[str, Failure]:
        """How the storage of the lookup that was opened last fails, by name."""


class MemoryEngine:
    """Keeps everything in one object."""

    def __init__(self, directory: Path, clock: SteppedClock) -> None:
        self.administration = self.limits = MemoryKeyStore(clock)
        self.sign_in = MemorySignIn(self.administration, clock, clock.deletion_us)
        self.audit = self.administration.audit
        self.failures = memory_failures(self.administration.set_unavailable)

    @contextlib.asynccontextmanager
    async def audit_log(self) -> AsyncIterator[AuditLog]:
        yield self.administration.audit

    @contextlib.asynccontextmanager
    async def codes(self) -> AsyncIterator[SignInCodes]:
        yield self.sign_in

    @contextlib.asynccontextmanager
    async def deleted(self) -> AsyncIterator[DeletedOrganizations]:
        yield self.administration

    @contextlib.asynccontextmanager
    async def lookup(self) -> AsyncIterator[KeyLookup]:
        yield self.administration


class SqliteEngine:
    """Keeps a database in a directory."""

    failures: Mapping[str, Failure]

    def __init__(self, directory: Path, clock: SteppedClock) -> None:
        self._database = open_database(directory / "vumeter.db")
        self._clock = clock
        self.administration = SqliteKeyAdministration(self._database, clock)
        self.limits = SqliteLimitAdministration(self._database)
        self.sign_in = SqliteSignInAdministration(self._database, clock)
        self.audit = SqliteAuditAdministration(self._database, clock)

    @contextlib.asynccontextmanager
    async def audit_log(self) -> AsyncIterator[AuditLog]:
        writer = self._database.writer()
        self.failures = sqlite_failures(writer, self._database.path)
        try:
            yield SqliteAuditLog(writer, self._clock)
        finally:
            writer.close()

    @contextlib.asynccontextmanager
    async def codes(self) -> AsyncIterator[SignInCodes]:
        writer, readers = self._database.writer(), self._database.readers()
        self.failures = sqlite_failures(writer, self._database.path)
        try:
            yield SqliteSignInCodes(readers, writer, self._clock, self._clock.deletion_us)
        finally:
            writer.close()
            readers.close()

    @contextlib.asynccontextmanager
    async def deleted(self) -> AsyncIterator[DeletedOrganizations]:
        writer, readers = self._database.writer(), self._database.readers()
        try:
            yield SqliteDeletedOrganizations(readers, writer, self._clock)
        finally:
            writer.close()
            readers.close()

    @contextlib.asynccontextmanager
    async def lookup(self) -> AsyncIterator[KeyLookup]:
        writer, readers = self._database.writer(), self._database.readers()
        self.failures = sqlite_failures(writer, self._database.path)
        try:
            yield SqliteKeyLookup(readers, writer)
        finally:
            writer.close()
            readers.close()


class ClickHouseEngine:
    """Keeps a database of ClickHouse."""

    def __init__(self, place: Callable[[], ClickHousePlace], clock: SteppedClock) -> None:
        self._place = place()
        self._clock = clock
        self.failures = self._place.failures
        self.administration = ClickHouseKeyAdministration(self._place.blocking, clock)
        self.limits = ClickHouseLimitAdministration(self._place.blocking, clock)
        self.sign_in = ClickHouseSignInAdministration(self._place.blocking, clock)
        self.audit = ClickHouseAuditAdministration(self._place.blocking, clock)

    @contextlib.asynccontextmanager
    async def audit_log(self) -> AsyncIterator[AuditLog]:
        async with self._place.opened() as clickhouse:
            yield ClickHouseAuditLog(clickhouse, self._clock)

    @contextlib.asynccontextmanager
    async def codes(self) -> AsyncIterator[SignInCodes]:
        async with self._place.opened() as clickhouse:
            yield ClickHouseSignInCodes(clickhouse, self._clock, self._clock.deletion_us)

    @contextlib.asynccontextmanager
    async def deleted(self) -> AsyncIterator[DeletedOrganizations]:
        async with self._place.opened() as clickhouse:
            yield ClickHouseDeletedOrganizations(clickhouse, self._clock)

    @contextlib.asynccontextmanager
    async def lookup(self) -> AsyncIterator[KeyLookup]:
        async with self._place.opened() as clickhouse:
            yield ClickHouseKeyLookup(clickhouse)


def _on(place: Callable[[], ClickHousePlace]) -> Callable[[Path, SteppedClock], Engine]:
    return lambda directory, clock: ClickHouseEngine(place, clock)


ENGINES: Mapping[str, Callable[[Path, SteppedClock], Engine]] = {
    "sqlite": SqliteEngine,
    "memory": MemoryEngine,
    **{name: _on(place) for name, place in PLACES.items()},
}
"""What the suite runs on; a new store is added here."""
