"""Keys have labels as the contract says."""

from __future__ import annotations

from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyAdministration, KeyLookup

UNKNOWN = "vmk_aaaaaaaaaaaaaaaaaaaa"


async def test_the_label_of_a_key_is_listed_found_changed_and_kept_when_the_key_is_replaced(
    administration: KeyAdministration, lookup: KeyLookup
) -> None:
    label = 'Anrufe – München, "2"'
    labeled = administration.create_key("acme", Role.MEMBER, None, label=label)
    plain = administration.create_key("acme", Role.MEMBER, None)
    replaced = administration.rotate_key(labeled.key_id)
    assert replaced is not None
    asked = [labeled.key_id, plain.key_id, replaced.key_id, UNKNOWN]

    async def check(labels: dict[str, str]) -> None:
        assert await lookup.labels(asked) == labels
        for key in (labeled, plain, replaced):
            info = await lookup.find_key_info(key.key_id)
            assert info is not None
            assert info.label == labels.get(key.key_id)

    await check({labeled.key_id: label, replaced.key_id: label})
    assert administration.set_label(labeled.key_id, None)
    assert administration.set_label(plain.key_id, label)
    assert not administration.set_label(UNKNOWN, label)
    await check({plain.key_id: label, replaced.key_id: label})
    assert await lookup.labels([replaced.key_id]) == {replaced.key_id: label}
    assert await lookup.labels([]) == {}
