"""What a database file keeps of the codes of sign-in links."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.conformance.access.engines import SteppedClock

from vumeter_server.access.keys import secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.sign_in import SignInKey
from vumeter_server.access.sqlite.sign_in import SqliteSignInAdministration, SqliteSignInCodes
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import Database, open_database

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def database(tmp_path: Path, clock: SteppedClock) -> Database:
    opened = open_database(tmp_path / "vumeter.db")
    SqliteKeyAdministration(opened, clock).create_key("acme", Role.OWNER, None)
    return opened


def code_of(database: Database, clock: SteppedClock, *, for_live: bool = False) -> str:
    code = SqliteSignInAdministration(database, clock).create_code("acme", for_live=for_live)
    assert code is not None
    return code


@contextlib.asynccontextmanager
async def process(database: Database, clock: SteppedClock) -> AsyncIterator[SqliteSignInCodes]:
    """The side of one process of a server."""
    writer, readers = database.writer(), database.readers()
    try:
        yield SqliteSignInCodes(readers, writer, clock)
    finally:
        writer.close()
        readers.close()


async def redeemed(database: Database, clock: SteppedClock, code: str) -> Sequence[SignInKey]:
    async with process(database, clock) as codes:
        return await codes.redeem(secret_digest(code))


async def test_after_five_minutes_it_is_good_no_more_and_leaves_no_key(
    database: Database, clock: SteppedClock
) -> None:
    code = code_of(database, clock)
    clock.now_us += 5 * MINUTE
    assert not await redeemed(database, clock, code)
    # That it was tried does not bring it back, and the clock does not either.
    clock.now_us -= MINUTE
    assert not await redeemed(database, clock, code)
    assert len(SqliteKeyAdministration(database).list_keys()) == 1


def test_the_code_is_stored_nowhere(database: Database, clock: SteppedClock) -> None:
    code = code_of(database, clock)
    stored = b"".join(file.read_bytes() for file in database.path.parent.iterdir())
    assert secret_digest(code) in stored
    assert code.encode() not in stored


async def test_codes_and_keys_do_not_pile_up(database: Database, clock: SteppedClock) -> None:
    first = await redeemed(database, clock, code_of(database, clock))
    for _ in range(3):
        code_of(database, clock)
    clock.now_us += 12 * HOUR + 30 * DAY
    second = await redeemed(database, clock, code_of(database, clock))
    codes = database.read(
        lambda connection: connection.execute("SELECT count(*) FROM sign_in_codes").fetchone()
    )
    assert codes == (0,)
    kept = {each.key_id for each in SqliteKeyAdministration(database).list_keys()}
    assert second[0].key.key_id in kept
    assert first[0].key.key_id not in kept
    # The key that a command created stays.
    assert len(kept) == 2
