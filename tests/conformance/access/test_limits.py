"""Limits of organizations are changed and found, and keys listed by use, as the contract says."""

from __future__ import annotations

from tests.conformance.access.engines import STARTED_US, Engine, SteppedClock

from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyAdministration, KeyLookup, KeyState


async def test_a_change_is_found_with_every_key_of_the_organization_alone(
    engine: Engine, administration: KeyAdministration, lookup: KeyLookup
) -> None:
    keys = [administration.create_key(name, Role.MEMBER, None) for name in ("a", "a", "b")]
    assert engine.limits.limits("a") == {}
    assert engine.limits.change_limits("a", {"metrics": 7, "points_per_second": 100})
    assert engine.limits.change_limits("a", {"metrics": 8, "label_sets": 9})
    assert engine.limits.change_limits("a", {"label_sets": None, "label_values": None})
    expected = {"metrics": 8, "points_per_second": 100}
    assert engine.limits.limits("a") == expected
    assert engine.limits.limits("b") == {}
    found = [await lookup.find_key(key.key_id) for key in keys]
    assert [dict(each.limits) for each in found if each] == [expected, expected, {}]
    # A key that is made later has them too.
    late = await lookup.find_key(administration.create_key("a", Role.OWNER, None).key_id)
    assert late is not None
    assert late.limits == expected


def test_an_organization_that_there_is_not_has_no_limits(engine: Engine) -> None:
    assert engine.limits.limits("nobody") is None
    assert not engine.limits.change_limits("nobody", {"metrics": 7})
    assert engine.limits.limits("nobody") is None


async def test_keys_of_an_organization_are_listed_by_last_use(
    administration: KeyAdministration, lookup: KeyLookup, clock: SteppedClock
) -> None:
    first, second, third, fourth = (
        administration.create_key("acme", role, None) for role in list(Role)[:4]
    )
    administration.create_key("other", Role.OWNER, None)
    clock.now_us += 1
    young = administration.create_key("acme", Role.OWNER, STARTED_US + 9)
    administration.revoke_key(third.key_id)
    used = {third.key_id: STARTED_US + 5, first.key_id: STARTED_US + 7}
    await lookup.save_last_used(used)
    stored = await lookup.find_key(first.key_id)
    assert stored is not None
    listed = await lookup.keys_of(stored.organization_id, 100)
    never = sorted((second.key_id, fourth.key_id))
    assert [each.key_id for each in listed] == [first.key_id, third.key_id, young.key_id, *never]
    assert [each.last_used_us for each in listed] == [STARTED_US + 7, STARTED_US + 5, *[None] * 3]
    assert listed == [
        next(known for known in administration.list_keys() if known.key_id == each.key_id)
        for each in listed
    ]
    assert await lookup.keys_of(stored.organization_id, 2) == listed[:2]
    states = [each.state_at(STARTED_US + 9) for each in listed[:3]]
    assert states == [KeyState.GOOD, KeyState.REVOKED, KeyState.EXPIRED]
    assert listed[2].state_at(STARTED_US + 8) is KeyState.GOOD
