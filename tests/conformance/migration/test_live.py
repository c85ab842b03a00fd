"""Live metrics are read and written as LiveMigrationSource and LiveMigrationTarget say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.conformance.migration.engines import Engine
from tests.otlp.decoded import NOW_US
from tests.store_migration.sample import event

from vumeter_server.errors import Conflict
from vumeter_server.live_metrics.fold import Listing
from vumeter_server.live_metrics.migration_store import (
    ClosedCall,
    LiveMigrationSource,
    LiveMigrationTarget,
)
from vumeter_server.live_metrics.model import CallOutcome, Event, EventType
from vumeter_server.store_migration.stores import MigrationStores
from vumeter_server.times.units import MINUTE_US, SECOND_US

RECEIVED_US = NOW_US - NOW_US % MINUTE_US
MANY = 2_300


@asynccontextmanager
async def opened(engine: Engine) -> AsyncIterator[tuple[LiveMigrationSource, LiveMigrationTarget]]:
    async with engine() as stores:
        assert stores.live_target is not None
        yield stores.live, stores.live_target


def target_of(stores: MigrationStores) -> LiveMigrationTarget:
    assert stores.live_target is not None
    return stores.live_target


async def received(source: LiveMigrationSource) -> list[tuple[Event, int]]:
    """Return all events with when they were received, page by page."""
    found: list[tuple[Event, int]] = []
    after, through = 0, None
    while through is None or after < through:
        page = await source.received(after, through)
        assert page.after > after or page.after == page.through
        found += page.events
        after, through = page.after, page.through
    return found


async def stages(source: LiveMigrationSource) -> dict[str, Listing]:
    return dict(await source.listed())


async def test_an_empty_store_has_nothing(stores: MigrationStores) -> None:
    assert list(await stores.live.tenants()) == []
    assert await received(stores.live) == []
    assert list(await stores.live.closed_calls("", 10)) == []
    assert await stages(stores.live) == {}


async def test_events_are_read_in_pages_with_when_they_were_received(
    stores: MigrationStores, engine: Engine
) -> None:
    target = target_of(stores)
    events = [event(number, EventType.STARTED, number) for number in range(MANY)]
    first, second = events[: MANY // 2], events[MANY // 2 :]
    await target.record(first, RECEIVED_US)
    # A repeat of an event changes neither it nor when it was received.
    await target.record([*second, *first[:5]], RECEIVED_US + MINUTE_US)
    await target.record([], RECEIVED_US)
    async with opened(engine) as (source, _):
        found = await received(source)
        assert [each.event_id for each, _ in found] == [each.event_id for each in events]
        assert [each for each, _ in found] == events
        assert {at for _, at in found[: MANY // 2]} == {RECEIVED_US}
        assert {at for _, at in found[MANY // 2 :]} == {RECEIVED_US + MINUTE_US}
        # What comes later is behind the end that was told.
        through = (await source.received(0, None)).through
        await target.record([event(MANY, EventType.STARTED, MANY)], RECEIVED_US)
        page = await source.received(through, None)
        assert [each.event_id for each, _ in page.events] == [f"event-{MANY:03}"]
        assert not (await source.received(through, through)).events


async def test_an_event_with_other_content_is_rejected_and_changes_nothing(
    stores: MigrationStores,
) -> None:
    target = target_of(stores)
    first = event(1, EventType.AUDIO, 1, minutes=1.5)
    await target.record([event(0, EventType.STARTED, 1), first], RECEIVED_US)
    with pytest.raises(Conflict):
        await target.record(
            [event(2, EventType.STARTED, 2), event(1, EventType.AUDIO, 1, minutes=2.5)],
            RECEIVED_US,
        )
    assert [each for each, _ in await received(stores.live)] == [
        event(0, EventType.STARTED, 1),
        first,
    ]
    assert list(await stages(stores.live)) == ["call-1"]


async def test_tenants_have_limits_and_go_with_all_they_have(
    stores: MigrationStores, engine: Engine
) -> None:
    target = target_of(stores)
    await target.record([event(each, EventType.STARTED, each) for each in range(4)], RECEIVED_US)
    await target.set_limit("nobody yet ☃", 7)
    await target.set_limit("a", 9)
    await target.set_limit("a", None)

    async def limits(source: LiveMigrationSource) -> dict[str, int | None]:
        return {each.tenant_id: each.max_concurrent_calls for each in await source.tenants()}

    assert list(await limits(stores.live)) == ["a", "b", "nobody yet ☃"]
    assert await limits(stores.live) == {"a": None, "b": None, "nobody yet ☃": 7}
    (first,) = [each for each in await stores.live.tenants() if each.tenant_id == "a"]
    assert first.last_received_us == RECEIVED_US
    assert first.last_occurred_us == event(2, EventType.STARTED, 2).occurred_us
    await target.delete_tenant("a")
    await target.delete_tenant("unknown")
    async with opened(engine) as (source, again):
        assert await limits(source) == {"b": None, "nobody yet ☃": 7}
        assert set(await stages(source)) == {"call-1", "call-3"}
        assert [each.call_id for each, _ in await received(source)] == ["call-1", "call-3"]
        # Its ids are free.
        await again.record([event(0, EventType.AUDIO, 0, minutes=3)], RECEIVED_US)
        assert (await received(source))[-1][0] == event(0, EventType.AUDIO, 0, minutes=3)


async def test_calls_are_closed_as_the_other_server_closed_them(
    stores: MigrationStores, engine: Engine
) -> None:
    target = target_of(stores)
    pending = [event(each, EventType.PENDING, each) for each in range(2)]
    active = [event(10 + each, EventType.STARTED, each) for each in range(2, 6)]
    await target.record([*pending, *active], RECEIVED_US)
    before = await stages(stores.live)
    assert set(before) == {f"call-{number}" for number in range(6)}
    closed = [
        ClosedCall(call_id="call-0", closed_us=None),
        ClosedCall(call_id="call-2", closed_us=RECEIVED_US + SECOND_US),
        ClosedCall(call_id="call-3", closed_us=RECEIVED_US + 2 * SECOND_US),
    ]
    await target.close_calls([*closed, ClosedCall(call_id="unknown", closed_us=RECEIVED_US)])
    async with opened(engine) as (source, again):
        assert set(await stages(source)) == {"call-1", "call-4", "call-5"}
        # One that is closed so stays.
        await again.close_calls(closed)
        found: list[ClosedCall] = []
        while page := await source.closed_calls(found[-1].call_id if found else "", 2):
            assert len(page) <= 2
            found += page
        assert found == closed
    # A later event of a call that lapsed brings it back; an end replaces that the server closed it.
    await target.record([event(30, EventType.STARTED, 0)], RECEIVED_US + MINUTE_US)
    await target.record(
        [event(31, EventType.ENDED, 2, outcome=CallOutcome.COMPLETED, minutes=1)],
        RECEIVED_US + MINUTE_US,
    )
    assert set(await stages(stores.live)) == {"call-0", "call-1", "call-4", "call-5"}
    assert "call-0" not in {each.call_id for each in await stores.live.closed_calls("", 9)}
