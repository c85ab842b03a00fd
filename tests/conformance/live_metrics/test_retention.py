"""What of live metrics retention drops is known before, and noted, on every store."""

from __future__ import annotations

from tests.conformance.access.memory_audit import MemoryAuditLog
from tests.conformance.live_metrics.factories import Storage
from tests.live_metrics.making import event
from tests.live_metrics.stores import HOUR

from vumeter_server.live_metrics.maintenance import LiveMaintenance
from vumeter_server.live_metrics.model import EventType
from vumeter_server.runtime.actors import SERVER
from vumeter_server.runtime.clock_guard import ClockGuard

T = EventType
DAY = 24 * HOUR


async def test_a_store_knows_whether_it_keeps_an_event_received_before_a_time(
    storage: Storage,
) -> None:
    async with storage.store() as (store, _):
        received_us = storage.clock.now_us
        assert not await store.has_received_before(received_us + DAY)
        await store.record([event(T.STARTED), event(T.FALLBACK_INSTRUCTIONS_USED)])
        storage.clock.now_us += DAY
        await store.record([event(T.STARTED, "call_2", tenant_id="garage")])
        assert not await store.has_received_before(received_us)
        assert await store.has_received_before(received_us + 1)
        await store.drop_received_before(received_us + 1)
        assert not await store.has_received_before(received_us + DAY)
        assert await store.has_received_before(received_us + DAY + 1)
        await store.delete_tenant("garage")
        assert not await store.has_received_before(received_us + DAY + 1)


async def test_the_audit_notes_once_a_day_that_events_are_dropped(storage: Storage) -> None:
    audit = MemoryAuditLog()
    async with storage.store() as (store, _):
        maintenance = LiveMaintenance(
            store=store,
            audit=audit,
            guard=ClockGuard(storage.clock, None, storage.clock),
            call_ttl_us=HOUR,
            retention_days=2,
        )
        for _ in range(3):
            await store.record([event(T.FALLBACK_INSTRUCTIONS_USED)])
            storage.clock.now_us += 10 * HOUR
        # The first is a microsecond short of its two days.
        storage.clock.now_us += 2 * DAY - 30 * HOUR
        await maintenance.drop_old_events()
        assert audit.entries == []
        storage.clock.now_us += 1
        for _ in range(3):
            await maintenance.drop_old_events()
        details = {"received_before": "2025-04-01T10:00:00.000001Z"}
        noted = [(SERVER, "retention.drop_events", None, "", details)]
        assert audit.entries == noted
        # The second falls due on the same day, the third on the next one.
        storage.clock.now_us += 10 * HOUR
        await maintenance.drop_old_events()
        assert not await store.has_received_before(storage.clock.now_us - 2 * DAY)
        assert audit.entries == noted
        storage.clock.now_us += 10 * HOUR
        for _ in range(2):
            await maintenance.drop_old_events()
        assert [each[4] for each in audit.entries[1:]] == [
            {"received_before": "2025-04-02T06:00:00.000001Z"}
        ]
