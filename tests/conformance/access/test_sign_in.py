"""Codes of sign-in links: good once, for five minutes, for keys of 12 hours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.conformance.access.engines import Engine, SteppedClock
from tests.conformance.failing import FAILURES

from vumeter_server.access.keys import secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.sign_in import SignInKey
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.actors import SERVER

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@pytest.fixture(autouse=True)
def _organization(engine: Engine) -> None:
    engine.administration.create_key("acme", Role.OWNER, None)


def code_of(engine: Engine, *, for_live: bool = False) -> str:
    code = engine.sign_in.create_code("acme", for_live=for_live)
    assert code is not None
    return code


async def redeemed(engine: Engine, code: str) -> Sequence[SignInKey]:
    async with engine.codes() as codes:
        return await codes.redeem(secret_digest(code))


@pytest.mark.parametrize("for_live", [False, True])
async def test_a_code_is_exchanged_once_for_keys_of_12_hours(
    engine: Engine, clock: SteppedClock, for_live: bool
) -> None:
    code = code_of(engine, for_live=for_live)
    clock.now_us += 5 * MINUTE - 1
    keys = await redeemed(engine, code)
    assert [each.role for each in keys] == [Role.ADMIN, *([Role.OPERATOR] if for_live else [])]
    assert {each.expires_us for each in keys} == {clock.now_us + 12 * HOUR}
    listed = {each.key_id: each for each in engine.administration.list_keys()}
    async with engine.lookup() as lookup:
        for each in keys:
            found = await lookup.find_key(each.key.key_id)
            assert found is not None
            assert found.secret_sha256 == secret_digest(each.key.secret)
            assert (found.role, found.expires_us) == (each.role, each.expires_us)
            assert listed[each.key.key_id].organization == "acme"
    assert not await redeemed(engine, code)


async def test_after_five_minutes_it_is_good_no_more_and_leaves_no_key(
    engine: Engine, clock: SteppedClock
) -> None:
    code = code_of(engine)
    clock.now_us += 5 * MINUTE
    assert not await redeemed(engine, code)
    assert len(engine.administration.list_keys()) == 1


async def test_of_many_at_the_same_time_in_two_processes_one_gets_keys(engine: Engine) -> None:
    digest = secret_digest(code_of(engine))
    async with engine.codes() as one, engine.codes() as other:
        answers = await asyncio.gather(*(each.redeem(digest) for each in (one, other) * 10))
    assert len([keys for keys in answers if keys]) == 1
    assert len(engine.administration.list_keys()) == 2


async def test_what_nobody_gave_out_is_nothing(engine: Engine) -> None:
    code_of(engine)
    key = engine.administration.list_keys()[0]
    for made_up in ("", "x", "code_sha256", "' OR 1=1 --", key.key_id):
        assert not await redeemed(engine, made_up)


async def test_a_deleted_organization_takes_its_codes_along(engine: Engine) -> None:
    code = code_of(engine)
    engine.administration.delete_organization("acme")
    assert engine.sign_in.create_code("acme", for_live=False) is None
    engine.administration.create_key("acme", Role.OWNER, None)
    assert not await redeemed(engine, code)
    assert engine.sign_in.create_code("nobody", for_live=False) is None


async def test_keys_do_not_pile_up(engine: Engine, clock: SteppedClock) -> None:
    first = await redeemed(engine, code_of(engine))
    for _ in range(3):
        code_of(engine)
    clock.now_us += 12 * HOUR + 30 * DAY
    second = await redeemed(engine, code_of(engine))
    kept = {each.key_id for each in engine.administration.list_keys()}
    assert second[0].key.key_id in kept
    assert first[0].key.key_id not in kept
    # The key that a command created stays.
    assert len(kept) == 2


async def test_a_clock_that_is_not_trusted_drops_no_key_and_no_code(
    engine: Engine, clock: SteppedClock
) -> None:
    kept = [each.key.key_id for each in await redeemed(engine, code_of(engine))]
    unused, for_later = code_of(engine), 366 * DAY
    clock.now_us, clock.is_trusted = clock.now_us + for_later, False
    code = code_of(engine)
    assert await redeemed(engine, code)
    assert {each.key_id for each in engine.administration.list_keys()} >= set(kept)
    clock.now_us, clock.is_trusted = clock.now_us - for_later, True
    assert await redeemed(engine, unused)


# A few rows fit into the pages of a full file.
@pytest.mark.parametrize("failure", [each for each in FAILURES if each != "full"])
async def test_a_code_that_storage_cannot_take_back_stays_good(
    engine: Engine, failure: str
) -> None:
    async with engine.codes() as codes:
        digest = secret_digest(code_of(engine, for_live=True))
        async with engine.failures[failure]():
            with pytest.raises(Unavailable):
                await codes.redeem(digest)
        assert len(engine.administration.list_keys()) == 1
        assert len(await codes.redeem(digest)) == 2


async def test_the_audit_says_who_made_the_link_and_that_keys_came_of_it(
    engine: Engine, clock: SteppedClock
) -> None:
    clock.now_us += 1
    code = code_of(engine, for_live=True)
    clock.now_us += 1
    keys = await redeemed(engine, code)
    *created, link = engine.audit.entries(most=3)
    assert {(each.action, each.target, each.details["role"]) for each in created} == {
        ("key.create", keys[0].key.key_id, "admin"),
        ("key.create", keys[1].key.key_id, "operator"),
    }
    assert [each.details["by"] for each in created] == ["sign_in"] * 2
    assert [each.actor for each in created] == [SERVER, SERVER]
    assert (link.action, link.target, link.details) == ("sign_in.create", "", {"live": True})
    assert link.actor.user
    assert {each.organization for each in (*created, link)} == {"acme"}
