"""Organizations, keys and the audit are read and written as AccessMigrationStore says."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.conformance.migration.engines import Engine
from tests.otlp.decoded import NOW_US
from tests.store_migration.sample import key, organization

from vumeter_server.access.migration_store import CopiedAuditEntry, CopiedOrganization
from vumeter_server.access.roles import Role
from vumeter_server.store_migration.stores import MigrationStores


async def found(stores: MigrationStores) -> list[CopiedOrganization]:
    """Return what there is, without the numbers that it has here."""
    return [replace(each, organization_id=0) for each in await stores.access.organizations()]


async def audit(stores: MigrationStores) -> list[CopiedAuditEntry]:
    return list(await stores.access.audit_entries())


def entry(number: int, of: str | None, action: str = "key.create") -> CopiedAuditEntry:
    return CopiedAuditEntry(
        occurred_us=NOW_US + number,
        key_id="vmk_1" if number % 2 else None,
        user=None if number % 2 else "root",
        command=None if number % 2 else "vumeter keys create",
        action=action,
        organization=of,
        target=f"target ☃ {number}",
        details='{"metrics":7,"role":"owner","tenant":null}',
    )


ACME = organization(
    "Acme ☃",
    key(1, label="booking"),
    key(2, Role.REPORTER, tenant_id="clinic", expires_us=NOW_US + 9),
    key(3, Role.MEMBER, revoked_us=NOW_US + 1, last_used_us=NOW_US + 5),
    metrics=7,
    requests_per_second=0,
)


async def test_an_empty_store_has_nothing(stores: MigrationStores) -> None:
    assert await found(stores) == []
    assert await audit(stores) == []


async def test_organizations_are_as_they_were_put_and_are_listed_by_name(
    stores: MigrationStores, engine: Engine
) -> None:
    others = [organization(name, key(9 + number)) for number, name in enumerate("bBaä")]
    number = await stores.access.put_organization(ACME)
    for each in others:
        await stores.access.put_organization(each)
    expected = sorted([ACME, *others], key=lambda each: each.name)
    assert await found(stores) == expected
    (acme,) = [each for each in await stores.access.organizations() if each.name == ACME.name]
    assert acme.organization_id == number
    # Putting it again makes no other one, whatever number it has elsewhere.
    assert await stores.access.put_organization(replace(ACME, organization_id=77)) == number
    assert await found(stores) == expected
    async with engine() as again:
        assert await found(again) == expected
    # None of this is noted: the audit is copied by itself.
    assert await audit(stores) == []


async def test_what_is_put_takes_the_place_of_what_there_was(stores: MigrationStores) -> None:
    number = await stores.access.put_organization(ACME)
    changed = replace(
        organization(
            ACME.name,
            key(1, label=None, revoked_us=NOW_US + 3),
            key(2, Role.REPORTER, tenant_id="clinic", expires_us=NOW_US + 9, label="new"),
            key(4),
            label_sets=5,
        ),
        created_us=ACME.created_us - 1,
    )
    assert await stores.access.put_organization(changed) == number
    # A key that is not given stays, a limit that is not given goes.
    kept = {f"vmk_{3:020d}": ACME.keys[f"vmk_{3:020d}"]}
    keys = dict(sorted({**changed.keys, **kept}.items()))
    assert await found(stores) == [replace(changed, keys=keys)]


async def test_a_time_of_last_use_never_replaces_a_later_one(stores: MigrationStores) -> None:
    for used_us in (NOW_US + 5, NOW_US + 2, None, NOW_US + 9, NOW_US + 8):
        await stores.access.put_organization(organization("acme", key(1, last_used_us=used_us)))
    (only,) = await found(stores)
    assert [each.last_used_us for each in only.keys.values()] == [NOW_US + 9]


async def test_a_deleted_organization_is_gone_and_its_name_is_free(
    stores: MigrationStores,
) -> None:
    number = await stores.access.put_organization(ACME)
    await stores.access.put_organization(organization("other"))
    await stores.access.delete_organization(number)
    assert [each.name for each in await found(stores)] == ["other"]
    await stores.access.delete_organization(number)
    assert [(each.action, each.organization) for each in await audit(stores)] == [
        ("organization.delete", ACME.name)
    ]
    again = organization(ACME.name, key(30))
    assert await stores.access.put_organization(again) != number
    assert again in await found(stores)


async def test_one_that_is_put_many_times_at_once_is_one(
    stores: MigrationStores, engine: Engine
) -> None:
    async with engine() as other:
        numbers = await asyncio.gather(
            *(each.access.put_organization(ACME) for each in (stores, other) * 3)
        )
    assert len(set(numbers)) == 1
    assert await found(stores) == [ACME]


async def test_entries_of_the_audit_are_as_they_were_added_in_the_order_of_time(
    stores: MigrationStores, engine: Engine
) -> None:
    await stores.access.put_organization(ACME)
    # Of one that is there, of one that is gone, of none.
    given = [
        entry(number, of) for number, of in enumerate((ACME.name, "gone", None, ACME.name, "gone"))
    ]
    await stores.access.add_audit_entries(given[2:])
    await stores.access.add_audit_entries(given[:2])
    await stores.access.add_audit_entries([])
    assert await audit(stores) == given
    async with engine() as again:
        assert await audit(again) == given
    # Whoever is called so afterwards has not done it, and nothing is lost with an organization.
    await stores.access.put_organization(organization("gone"))
    assert await audit(stores) == given
