"""What the contract promises of events as they were reported, page by page."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.live_metrics.factories import Storage
from tests.live_metrics.making import event
from tests.live_metrics.stores import HOUR, NINE, SECOND

from vumeter_server.live_metrics.model import CallOutcome, Event, EventType, RejectionReason
from vumeter_server.live_metrics.store import EventsQuery, LiveStore

T = EventType


async def exported(store: LiveStore, asked: EventsQuery | None = None) -> list[Event]:
    """All events of a query, over its pages."""
    asked = asked or EventsQuery()
    found: list[Event] = []
    page = None
    while page is None or page.after < page.through:
        page = await store.events(asked)
        assert len(page.events) <= 1_000
        assert 0 <= page.share <= 1
        found += page.events
        asked = replace(asked, after=page.after, through=page.through)
    assert page.share == 1
    return found


async def test_events_come_as_they_were_reported_in_the_order_in_which_they_came(
    storage: Storage,
) -> None:
    first = [
        event(T.STARTED, at=9.000001, sequence=2**63 - 1),
        event(T.FALLBACK_INSTRUCTIONS_USED, at=3, event_id="näme\u0000'\\"),
        event(T.REJECTED, "call_2", at=1, reason=RejectionReason.TENANT_NOT_CONFIGURED),
    ]
    second = [
        event(T.AUDIO, at=2, minutes=0.1, sequence=0),
        event(T.ENDED, at=70, outcome=CallOutcome.VOICEMAIL, tenant_id="garage"),
    ]
    async with storage.store() as (store, _view):
        assert await exported(store) == []
        await store.record(first)
        await store.record([*first, *second])
        storage.clock.now_us += 4 * HOUR
        await store.close_stuck(storage.clock.now_us - HOUR)
        # What the server made itself was not reported.
        assert await exported(store) == [*first, *second]
        of_garage = EventsQuery(tenant_id="garage")
        assert await exported(store, of_garage) == second[1:]
        between = EventsQuery(start_us=NINE + 2 * SECOND, end_us=NINE + 9 * SECOND + 1)
        assert await exported(store, between) == [first[1], second[0]]


async def test_pages_hold_each_event_once_and_nothing_that_came_later(storage: Storage) -> None:
    many = [event(T.STARTED, f"call_{number}", at=number) for number in range(1_500)]
    async with storage.store() as (store, _view):
        for first in range(0, 1_500, 500):
            await store.record(many[first : first + 500])
        page = await store.events(EventsQuery())
        await store.record([event(T.ENDED, "call_1", at=9_000)])
        assert page.events
        rest = await exported(store, EventsQuery(after=page.after, through=page.through))
        assert [*page.events, *rest] == many
        assert len(await exported(store)) == 1_501


async def test_what_is_dropped_or_deleted_is_in_no_page(storage: Storage) -> None:
    old = event(T.ENDED, "call_1")
    async with storage.store() as (store, _view):
        await store.record([old, event(T.STARTED, "call_2", tenant_id="garage")])
        storage.clock.now_us += HOUR
        new = event(T.STARTED, "call_3")
        # Of a call of the tenant that is deleted, by another one.
        await store.record([new, event(T.AUDIO, "call_2", at=5, minutes=1)])
        await store.drop_received_before(storage.clock.now_us)
        assert [each.type for each in await exported(store)] == [T.STARTED, T.AUDIO]
        contents = await store.tenant_contents("garage")
        assert contents is not None
        assert (contents.events, contents.calls) == (1, 1)
        assert await store.delete_tenant("garage") == contents
        assert await exported(store) == [new]
        assert await store.tenant_contents("garage") is None
        # An id that is free again is that of another event, which comes last.
        again = event(T.STARTED, "call_2", event_id=old.event_id)
        await store.record([again])
        assert await exported(store) == [new, again]
