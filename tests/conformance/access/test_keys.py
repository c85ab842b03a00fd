"""Keys are created, replaced, revoked, listed and looked up as the contract says."""

from __future__ import annotations

import asyncio

import pytest
from tests.conformance.access.engines import STARTED_US, Engine, SteppedClock
from tests.conformance.failing import FAILURES

from vumeter_server.access.keys import NewKey, StoredKey, secret_digest, secret_matches
from vumeter_server.access.roles import Role
from vumeter_server.access.store import (
    KeyAdministration,
    KeyInfo,
    KeyLookup,
    OrganizationInfo,
)
from vumeter_server.errors import Unavailable

DAY_US = 86_400_000_000
UNKNOWN = "vmk_aaaaaaaaaaaaaaaaaaaa"


async def found(lookup: KeyLookup, key: NewKey) -> StoredKey:
    stored = await lookup.find_key(key.key_id)
    assert stored is not None
    return stored


@pytest.mark.parametrize("role", Role)
async def test_a_new_key_is_found_at_once_with_the_digest_of_its_secret(
    administration: KeyAdministration, lookup: KeyLookup, role: Role
) -> None:
    key = administration.create_key("acme", role, STARTED_US + DAY_US)
    stored = await found(lookup, key)
    assert stored == StoredKey(
        key_id=key.key_id,
        organization_id=stored.organization_id,
        role=role,
        secret_sha256=secret_digest(key.secret),
        expires_us=STARTED_US + DAY_US,
        revoked_us=None,
    )
    assert secret_matches(key.secret, stored)
    assert stored.is_active_at(STARTED_US + DAY_US - 1)
    assert not stored.is_active_at(STARTED_US + DAY_US)


async def test_an_unknown_key_is_not_found(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    administration.create_key("acme", Role.OWNER, None)
    assert await lookup.find_key(UNKNOWN) is None


async def test_keys_of_one_name_share_an_organization_and_others_do_not(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    names = ("acme", "Acme", "acme", "açme", "acme ")
    ids = [
        (await found(lookup, administration.create_key(name, Role.OWNER, None))).organization_id
        for name in names
    ]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 4


async def test_a_revoked_key_keeps_the_time_of_its_first_revocation(
    administration: KeyAdministration, lookup: KeyLookup, clock: SteppedClock
) -> None:
    key = administration.create_key("acme", Role.ADMIN, None)
    clock.now_us += 7
    assert administration.revoke_key(key.key_id)
    clock.now_us += 7
    assert administration.revoke_key(key.key_id)
    stored = await found(lookup, key)
    assert stored.revoked_us == STARTED_US + 7
    assert not stored.is_active_at(STARTED_US)
    assert not administration.revoke_key(UNKNOWN)


async def test_a_replaced_key_keeps_organization_role_and_lifetime_and_revokes_the_old_one(
    administration: KeyAdministration, lookup: KeyLookup, clock: SteppedClock
) -> None:
    old = administration.create_key("acme", Role.MEMBER, STARTED_US + 90 * DAY_US)
    clock.now_us += 60 * DAY_US
    new = administration.rotate_key(old.key_id)
    assert new is not None
    before, after = await found(lookup, old), await found(lookup, new)
    assert before.revoked_us == clock.now_us
    assert (after.organization_id, after.role) == (before.organization_id, Role.MEMBER)
    assert (after.expires_us, after.revoked_us) == (clock.now_us + 90 * DAY_US, None)
    assert (new.key_id, new.secret) != (old.key_id, old.secret)
    assert not secret_matches(old.secret, after)


async def test_the_tenant_of_a_key_is_found_listed_and_kept_when_the_key_is_replaced(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    tenant = "clinic münchen/1"
    bound = administration.create_key("acme", Role.REPORTER, None, tenant)
    free = administration.create_key("acme", Role.REPORTER, None)
    replaced = administration.rotate_key(bound.key_id)
    assert replaced is not None
    tenants = {bound.key_id: tenant, replaced.key_id: tenant, free.key_id: None}
    assert [(await found(lookup, key)).tenant_id for key in (bound, replaced, free)] == [
        *(tenant, tenant, None)
    ]
    listed = {each.key_id: each.tenant_id for each in administration.list_keys()}
    assert listed == tenants


async def test_a_key_without_an_end_is_replaced_by_one_without_an_end(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    new = administration.rotate_key(administration.create_key("acme", Role.OWNER, None).key_id)
    assert new is not None
    assert (await found(lookup, new)).expires_us is None


@pytest.mark.parametrize("state", ["revoked", "expired", "unknown"])
def test_what_is_not_active_cannot_be_replaced_and_nothing_changes(
    administration: KeyAdministration, clock: SteppedClock, state: str
) -> None:
    key = administration.create_key("acme", Role.OWNER, STARTED_US + DAY_US)
    if state == "revoked":
        administration.revoke_key(key.key_id)
    if state == "expired":
        clock.now_us += DAY_US
    before = administration.list_keys()
    assert administration.rotate_key(UNKNOWN if state == "unknown" else key.key_id) is None
    assert administration.list_keys() == before


def test_keys_are_listed_by_organization_time_of_creation_and_id(
    administration: KeyAdministration, clock: SteppedClock
) -> None:
    late = administration.create_key("ä", Role.OWNER, None)
    second = administration.create_key("b", Role.MEMBER, STARTED_US + 5)
    clock.now_us -= 1
    first = administration.create_key("b", Role.ADMIN, None)
    clock.now_us += 1
    twins = sorted(administration.create_key("B", Role.OWNER, None).key_id for _ in range(4))
    administration.revoke_key(second.key_id)

    def info(key_id: str, organization: str, role: Role, created_us: int) -> KeyInfo:
        return KeyInfo(
            key_id=key_id,
            organization=organization,
            role=role,
            created_us=created_us,
            expires_us=STARTED_US + 5 if key_id == second.key_id else None,
            revoked_us=STARTED_US if key_id == second.key_id else None,
            last_used_us=None,
        )

    assert administration.list_keys() == [
        *(info(key_id, "B", Role.OWNER, STARTED_US) for key_id in twins),
        info(first.key_id, "b", Role.ADMIN, STARTED_US - 1),
        info(second.key_id, "b", Role.MEMBER, STARTED_US),
        info(late.key_id, "ä", Role.OWNER, STARTED_US),
    ]


def test_organizations_are_created_with_their_first_key_and_stay(
    administration: KeyAdministration, clock: SteppedClock
) -> None:
    assert administration.list_organizations() == []
    key = administration.create_key("b", Role.OWNER, None)
    clock.now_us += 1
    administration.create_key("b", Role.OWNER, STARTED_US + 10)
    administration.create_key("B", Role.OWNER, None)

    def listed() -> list[tuple[str, int, int]]:
        found: list[OrganizationInfo] = administration.list_organizations()
        return [(each.name, each.created_us, each.active_keys) for each in found]

    assert listed() == [("B", STARTED_US + 1, 1), ("b", STARTED_US, 2)]
    administration.revoke_key(key.key_id)
    clock.now_us = STARTED_US + 9
    assert listed() == [("B", STARTED_US + 1, 1), ("b", STARTED_US, 1)]
    clock.now_us = STARTED_US + 10
    assert listed() == [("B", STARTED_US + 1, 1), ("b", STARTED_US, 0)]


async def test_of_two_times_of_last_use_the_newer_is_kept_in_any_order(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    keys = [administration.create_key("acme", Role.OWNER, None).key_id for _ in range(3)]
    await lookup.save_last_used({keys[0]: 20, keys[1]: 10, UNKNOWN: 30})
    await lookup.save_last_used({keys[0]: 10, keys[1]: 20})
    by_id = {each.key_id: each.last_used_us for each in administration.list_keys()}
    assert by_id == {keys[0]: 20, keys[1]: 20, keys[2]: None}


async def test_every_process_sees_a_change_at_once(
    engine: Engine, administration: KeyAdministration
) -> None:
    async with engine.lookup() as one, engine.lookup() as another:
        key = administration.create_key("acme", Role.OWNER, None)
        for lookup in (one, another):
            assert (await found(lookup, key)).revoked_us is None
        administration.revoke_key(key.key_id)
        for lookup in (one, another):
            assert (await found(lookup, key)).revoked_us == STARTED_US
        await one.save_last_used({key.key_id: STARTED_US + 2})
        await another.save_last_used({key.key_id: STARTED_US + 1})
    assert administration.list_keys()[0].last_used_us == STARTED_US + 2


# Times are written over: a full file takes them.
@pytest.mark.parametrize("failure", [each for each in FAILURES if each != "full"])
async def test_times_of_last_use_that_cannot_be_saved_are_unavailable_and_change_nothing(
    engine: Engine, administration: KeyAdministration, lookup: KeyLookup, failure: str
) -> None:
    keys = [administration.create_key("acme", Role.OWNER, None) for _ in range(3)]
    used = {key.key_id: STARTED_US + 1 for key in keys}
    before = administration.list_keys()
    async with engine.failures[failure]():
        with pytest.raises(Unavailable):
            await lookup.save_last_used(used)
        # Keys are still looked up.
        assert (await found(lookup, keys[0])).revoked_us is None
    assert administration.list_keys() == before
    await lookup.save_last_used(used)
    assert [each.last_used_us for each in administration.list_keys()] == [STARTED_US + 1] * 3


async def test_a_lookup_whose_caller_has_gone_leaves_all_others_their_answers(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    key = administration.create_key("acme", Role.OWNER, None)
    for turns in range(20):
        calls: list[asyncio.Future[object]] = [
            asyncio.ensure_future(lookup.find_key(key.key_id)),
            asyncio.ensure_future(lookup.save_last_used({key.key_id: turns})),
        ]
        for _ in range(turns):
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (await found(lookup, key)).key_id == key.key_id
    await lookup.save_last_used({key.key_id: STARTED_US})
    assert administration.list_keys()[0].last_used_us == STARTED_US


async def test_a_key_is_found_as_it_is_listed(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    key = administration.create_key("acme", Role.OPERATOR, STARTED_US + DAY_US, "tenant_1")
    administration.create_key("globex", Role.OWNER, None)
    (listed,) = [each for each in administration.list_keys() if each.key_id == key.key_id]
    assert await lookup.find_key_info(key.key_id) == listed
    assert (listed.organization, listed.tenant_id) == ("acme", "tenant_1")
    assert await lookup.find_key_info(UNKNOWN) is None


async def test_a_deleted_organization_is_gone_with_its_keys_and_its_name_is_free(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    key = administration.create_key("acme", Role.OWNER, None)
    other = administration.create_key("rival", Role.OWNER, None)
    before = (await found(lookup, key)).organization_id
    assert administration.organization_id("acme") == before
    assert administration.delete_organization("acme") == before
    assert administration.delete_organization("acme") is None
    assert administration.organization_id("acme") is None
    assert await lookup.find_key(key.key_id) is None
    assert await lookup.find_key(other.key_id) is not None
    assert not administration.revoke_key(key.key_id)
    assert administration.rotate_key(key.key_id) is None
    assert [each.organization for each in administration.list_keys()] == ["rival"]
    assert [each.name for each in administration.list_organizations()] == ["rival"]
    await lookup.save_last_used({key.key_id: STARTED_US})
    again = administration.create_key("acme", Role.OWNER, None)
    after = (await found(lookup, again)).organization_id
    # Also where it was the last one, a number is never given again.
    administration.delete_organization("acme")
    last = administration.create_key("acme", Role.OWNER, None)
    assert len({before, after, (await found(lookup, last)).organization_id}) == 3


async def test_what_a_deleted_organization_recorded_is_left_to_be_erased(engine: Engine) -> None:
    administration = engine.administration
    for name in ("b", "a", "kept"):
        administration.create_key(name, Role.OWNER, None)
    numbers = [administration.delete_organization(name) for name in ("a", "b")]
    assert None not in numbers
    first, second = sorted(number for number in numbers if number is not None)
    async with engine.deleted() as deleted:
        assert await deleted.unerased() == [first, second]
        assert not administration.is_erased(first)
        await deleted.set_erased(first)
        assert await deleted.unerased() == [second]
    assert administration.is_erased(first)
    assert not administration.is_erased(second)
