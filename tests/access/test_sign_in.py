"""Codes of sign-in links: good once, for five minutes, for keys of 12 hours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.conformance.access.engines import SteppedClock

from vumeter_server.access.keys import secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.sign_in import SignInKey
from vumeter_server.access.sqlite.sign_in import SqliteSignInAdministration, SqliteSignInCodes
from vumeter_server.access.sqlite.store import SqliteKeyAdministration, SqliteKeyLookup
from vumeter_server.runtime.actors import SERVER
from vumeter_server.sqlite import Database, audit, open_database

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


@pytest.mark.parametrize("for_live", [False, True])
async def test_a_code_is_exchanged_once_for_keys_of_12_hours(
    database: Database, clock: SteppedClock, for_live: bool
) -> None:
    code = code_of(database, clock, for_live=for_live)
    clock.now_us += 5 * MINUTE - 1
    keys = await redeemed(database, clock, code)
    assert [each.role for each in keys] == [Role.ADMIN, *([Role.OPERATOR] if for_live else [])]
    assert {each.expires_us for each in keys} == {clock.now_us + 12 * HOUR}
    listed = {each.key_id: each for each in SqliteKeyAdministration(database).list_keys()}
    writer, readers = database.writer(), database.readers()
    for each in keys:
        found = await SqliteKeyLookup(readers, writer).find_key(each.key.key_id)
        assert found is not None
        assert found.secret_sha256 == secret_digest(each.key.secret)
        assert (found.role, found.expires_us) == (each.role, each.expires_us)
        assert listed[each.key.key_id].organization == "acme"
    writer.close()
    readers.close()
    assert await redeemed(database, clock, code) in ([], ())


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


async def test_of_many_at_the_same_time_in_two_processes_one_gets_keys(
    database: Database, clock: SteppedClock
) -> None:
    digest = secret_digest(code_of(database, clock))
    async with process(database, clock) as one, process(database, clock) as other:
        answers = await asyncio.gather(*(each.redeem(digest) for each in (one, other) * 10))
    assert len([keys for keys in answers if keys]) == 1
    assert len(SqliteKeyAdministration(database).list_keys()) == 2


async def test_what_nobody_gave_out_is_nothing(database: Database, clock: SteppedClock) -> None:
    code_of(database, clock)
    for made_up in ("", "x", "code_sha256", "' OR 1=1 --"):
        assert not await redeemed(database, clock, made_up)


async def test_a_deleted_organization_takes_its_codes_along(
    database: Database, clock: SteppedClock
) -> None:
    code = code_of(database, clock)
    administration = SqliteKeyAdministration(database, clock)
    administration.delete_organization("acme")
    administration.create_key("acme", Role.OWNER, None)
    assert not await redeemed(database, clock, code)
    assert SqliteSignInAdministration(database).create_code("nobody", for_live=False) is None


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


async def test_the_audit_says_who_made_the_link_and_that_keys_came_of_it(
    database: Database, clock: SteppedClock
) -> None:
    keys = await redeemed(database, clock, code_of(database, clock, for_live=True))
    entries = database.read(lambda connection: audit.read(connection, most=3))
    assert [(each.action, each.target, each.details) for each in entries] == [
        ("key.create", keys[1].key.key_id, {"role": "operator", "by": "sign_in"}),
        ("key.create", keys[0].key.key_id, {"role": "admin", "by": "sign_in"}),
        ("sign_in.create", "", {"live": True}),
    ]
    assert [each.actor for each in entries[:2]] == [SERVER, SERVER]
    assert entries[2].actor.user
    assert {each.organization for each in entries} == {"acme"}
