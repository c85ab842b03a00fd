"""What callers export, delete and limit in live and simulation metrics is noted, on every store."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.access.engines import STARTED_US, Engine, SteppedClock
from tests.conformance.access.memory_audit import MemoryAuditLog
from tests.conformance.live_metrics.memory import MemoryLiveStore
from tests.conformance.live_metrics.records import Records
from tests.conformance.simulation.memory_store import MemorySimulationStore
from tests.conformance.simulation.reports import RUN_TEST, call, execution, execution_id

from vumeter_server.access.audit import AuditLog
from vumeter_server.access.authenticator import Caller
from vumeter_server.access.roles import Role
from vumeter_server.errors import InvalidArgument, NotFound, Unavailable
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.query import LiveQueries
from vumeter_server.live_metrics.store import EventsQuery
from vumeter_server.runtime.actors import ADMIN_TOKEN, Actor
from vumeter_server.simulation import query

OPERATOR = Actor(key_id="vmk_operator")


def noted(engine: Engine) -> list[tuple[Actor, str, str | None, str, dict[str, Any]]]:
    """Return what the audit has, the oldest first, but for the making of keys."""
    found = [each for each in engine.audit.entries(most=100) if each.action != "key.create"]
    return [
        (each.actor, each.action, each.organization, each.target, each.details)
        for each in reversed(found)
    ]


async def live_queries(audit: AuditLog, clock: SteppedClock) -> LiveQueries:
    store = MemoryLiveStore(Records(), clock, "epoch-1")
    return LiveQueries(store=store, view=await LiveView.of(store), audit=audit)


async def simulation(organization_id: int) -> tuple[MemorySimulationStore, Caller]:
    """Return a store with an execution of two calls, and who asks for it."""
    store = MemorySimulationStore()
    await store.record_execution(organization_id, execution(1))
    await store.record_calls(organization_id, [call(1), call(2)])
    return store, Caller(organization_id=organization_id, role=Role.MEMBER, key_id="vmk_member")


async def test_who_exports_events_and_limits_tenants_is_noted(
    engine: Engine, clock: SteppedClock
) -> None:
    async with engine.audit_log() as log:
        live = await live_queries(log, clock)
        day = EventsQuery(start_us=STARTED_US, end_us=STARTED_US + 1_500_000)
        for actor, asked in (
            (ADMIN_TOKEN, EventsQuery()),
            (OPERATOR, EventsQuery(tenant_id="clinic münchen", after=7, through=9)),
            (OPERATOR, day),
        ):
            async for _ in live.events(actor, asked):
                clock.now_us += 1
        await live.set_limit(ADMIN_TOKEN, "clinic", 3)
        clock.now_us += 1
        await live.set_limit(ADMIN_TOKEN, "clinic", None)
        # What is rejected is not done.
        with pytest.raises(InvalidArgument):
            await live.set_limit(ADMIN_TOKEN, "clinic", -1)
        with pytest.raises(InvalidArgument):
            await anext(live.events(OPERATOR, EventsQuery(start_us=2, end_us=1)))
    in_words = {"start": "2025-11-30T08:06:40Z", "end": "2025-11-30T08:06:41.5Z"}
    assert noted(engine) == [
        (ADMIN_TOKEN, "events.export", None, "", {}),
        (OPERATOR, "events.export", None, "clinic münchen", {"goes_on": True}),
        (OPERATOR, "events.export", None, "", in_words),
        (ADMIN_TOKEN, "tenant.set_limit", None, "clinic", {"max_concurrent_calls": 3}),
        (ADMIN_TOKEN, "tenant.set_limit", None, "clinic", {"max_concurrent_calls": None}),
    ]


async def test_who_exports_calls_and_deletes_executions_is_noted(
    engine: Engine, clock: SteppedClock
) -> None:
    engine.administration.create_key("acme", Role.MEMBER, None)
    store, caller = await simulation(engine.administration.organization_id("acme") or 0)
    async with engine.audit_log() as log:
        for given in (
            dict[str, Any](),
            {"run_test_name": RUN_TEST},
            {"execution_id": execution_id(1).upper(), "after": ("5a", 0, 2)},
        ):
            async for _ in query.export_calls(store, log, caller, **given):
                clock.now_us += 1
        with pytest.raises(InvalidArgument):
            await anext(query.export_calls(store, log, caller, execution_id="no UUID"))
        with pytest.raises(NotFound):
            await query.delete_execution(store, log, caller, execution_id(9))
        assert await query.delete_execution(store, log, caller, execution_id(1)) == 2
        with pytest.raises(NotFound):
            await query.delete_execution(store, log, caller, execution_id(1))
    key = Actor(key_id=caller.key_id)
    assert noted(engine) == [
        (key, "calls.export", "acme", "", {}),
        (key, "calls.export", "acme", "", {"run_test": RUN_TEST}),
        (key, "calls.export", "acme", "", {"execution": execution_id(1), "goes_on": True}),
        (key, "execution.delete", "acme", execution_id(1), {"calls": 2}),
    ]


class FullAudit(MemoryAuditLog):
    """Takes nothing."""

    async def append(self, *given: Any, **named: Any) -> None:
        raise Unavailable


async def test_what_cannot_be_noted_is_not_done(clock: SteppedClock) -> None:
    log = FullAudit()
    live = await live_queries(log, clock)
    store, caller = await simulation(7)
    for work in (
        anext(live.events(OPERATOR, EventsQuery())),
        live.set_limit(ADMIN_TOKEN, "clinic", 3),
        anext(query.export_calls(store, log, caller)),
        query.delete_execution(store, log, caller, execution_id(1)),
    ):
        with pytest.raises(Unavailable):
            await work
    assert not await live.tenants("", 1)
    assert await store.call(7, call(1).call_execution_id)
