"""The audit keeps who changed what, as the contract says."""

from __future__ import annotations

import asyncio

import pytest
from tests.conformance.access.engines import STARTED_US, Engine, SteppedClock
from tests.conformance.failing import FAILURES

from vumeter_server.access.audit import AuditEntry
from vumeter_server.access.roles import Role
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.actors import Actor, by_command, this_user


def what(entry: AuditEntry) -> tuple[str, str | None, str, dict[str, object]]:
    return entry.action, entry.organization, entry.target, entry.details


def tick(clock: SteppedClock) -> None:
    clock.now_us += 1


async def fill(engine: Engine, clock: SteppedClock) -> tuple[str, str]:
    """Let commands and a caller do something, each a microsecond later; return two keys."""
    first = engine.administration.create_key("acme", Role.OWNER, None, label="Booking").key_id
    tick(clock)
    replacing = engine.administration.rotate_key(first)
    assert replacing is not None
    second = replacing.key_id
    tick(clock)
    engine.administration.set_label(second, "Booking, new")
    tick(clock)
    engine.administration.create_key("rival", Role.MEMBER, None, None)
    tick(clock)
    acme = engine.administration.organization_id("acme")
    assert acme is not None
    async with engine.audit_log() as log:
        details = {"metrics": ["turns"]}
        key = Actor(key_id=second)
        await log.append(key, "points.delete", organization_id=acme, details=details)
    tick(clock)
    engine.audit.note("tenant.delete", target="clinic münchen", details={"calls": 2})
    tick(clock)
    engine.audit.note("metric.delete", organization_id=acme, target=second)
    tick(clock)
    engine.administration.revoke_key(second)
    return first, second


async def test_what_commands_and_callers_did_is_listed_the_newest_first(
    engine: Engine, clock: SteppedClock
) -> None:
    with by_command("vumeter test"):
        first, second = await fill(engine, clock)
        user = this_user()
    entries = list(engine.audit.entries(most=100))
    assert [what(each) for each in entries] == [
        ("key.revoke", "acme", second, {}),
        ("metric.delete", "acme", second, {}),
        ("tenant.delete", None, "clinic münchen", {"calls": 2}),
        ("points.delete", "acme", "", {"metrics": ["turns"]}),
        ("key.create", "rival", entries[4].target, {"role": "member", "tenant": None}),
        ("key.label", "acme", second, {"label": "Booking, new"}),
        ("key.rotate", "acme", first, {"new_key": second}),
        ("key.create", "acme", first, {"role": "owner", "tenant": None, "label": "Booking"}),
    ]
    assert [each.occurred_us - STARTED_US for each in entries] == list(range(7, -1, -1))
    by_caller = entries.pop(3)
    assert (by_caller.actor.key_id, by_caller.actor.user) == (second, None)
    assert by_caller.key_label == "Booking, new"
    assert {each.actor for each in entries} == {user}
    # A label is that of now, and of keys alone.
    assert [each.target_label for each in entries] == [
        *("Booking, new", None, None, None, "Booking, new", "Booking", "Booking")
    ]


async def test_entries_are_chosen_by_organization_action_and_time(
    engine: Engine, clock: SteppedClock
) -> None:
    await fill(engine, clock)

    def actions(
        *,
        most: int = 100,
        organization: str | None = None,
        action: str | None = None,
        since_us: int | None = None,
    ) -> list[str]:
        found = engine.audit.entries(
            most=most, organization=organization, action=action, since_us=since_us
        )
        return [each.action for each in found]

    assert actions(organization="rival") == ["key.create"]
    assert actions(organization="nobody") == []
    assert actions(organization="") == []
    assert actions(action="key") == [
        *("key.revoke", "key.create", "key.label", "key.rotate", "key.create")
    ]
    assert actions(action="key.create", organization="acme") == ["key.create"]
    assert actions(action="ke") == actions(action="key.") == []
    assert actions(since_us=STARTED_US + 6) == ["key.revoke", "metric.delete"]
    assert actions(most=1) == ["key.revoke"]
    assert actions(most=1, action="key.create", since_us=STARTED_US + 1) == ["key.create"]


async def test_what_was_done_to_an_organization_stays_listed_when_it_is_deleted(
    engine: Engine, clock: SteppedClock
) -> None:
    await fill(engine, clock)
    tick(clock)
    before = [what(each) for each in engine.audit.entries(most=100, organization="acme")]
    engine.administration.delete_organization("acme")
    tick(clock)
    engine.administration.create_key("acme", Role.OWNER, None)
    newest, deletion, *others = engine.audit.entries(most=100, organization="acme")
    assert (newest.action, what(deletion)) == (
        "key.create",
        ("organization.delete", "acme", "", {}),
    )
    assert [what(each) for each in others] == before
    # Its keys are gone, and their labels.
    assert {(each.key_label, each.target_label) for each in others} == {(None, None)}


@pytest.mark.parametrize("failure", FAILURES)
async def test_what_cannot_be_noted_is_unavailable_and_leaves_nothing(
    engine: Engine, failure: str
) -> None:
    key = engine.administration.create_key("acme", Role.OWNER, None)
    acme = engine.administration.organization_id("acme") or 0
    # A full file takes what fits into a page.
    details = {"metrics": ["m" * 200] * 200}
    actor = Actor(key_id=key.key_id)
    async with engine.audit_log() as log:

        async def ask() -> None:
            await log.append(actor, "points.delete", organization_id=acme, details=details)

        async with engine.failures[failure]():
            with pytest.raises(Unavailable):
                await ask()
        assert [each.action for each in engine.audit.entries(most=9)] == ["key.create"]
        await asyncio.gather(*(ask() for _ in range(5)))
    found = engine.audit.entries(most=9, action="points.delete")
    assert [each.details for each in found] == [details] * 5
