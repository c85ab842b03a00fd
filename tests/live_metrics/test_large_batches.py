"""Large batches are parsed and checked while the event loop answers other calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from google.api.httpbody_pb2 import HttpBody
from tests.conformance.access.memory_audit import MemoryAuditLog
from tests.conformance.live_metrics.memory import MemoryLiveStore
from tests.conformance.live_metrics.records import Records
from tests.live_metrics.stores import NINE, SECOND, SetClock

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1 import live_metrics_rest_pb2 as rest_pb
from vumeter_server.api.call import Call
from vumeter_server.live_metrics.grpc_api import LiveMetricsService
from vumeter_server.live_metrics.ingest import EventIngest
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.query import LiveQueries
from vumeter_server.live_metrics.rest_api import LiveMetricsRestService

LARGE = 10_000
CALL = Call(request_id="", metadata={}, context=cast(Any, None))


class TurnsOfTheLoop(MemoryLiveStore):
    """Notes how often the event loop turned until events reached the store, and drops them."""

    def __init__(self) -> None:
        super().__init__(Records(), SetClock(), "epoch-1")
        self.turns = 0
        self.turns_before_record: list[int] = []

    async def record(self, events: Sequence[Event], only_tenant: str | None = None) -> None:
        self.turns_before_record.append(self.turns)

    async def count(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def turns_beside(number: int, *, rest: bool) -> int:
    """Return how often the loop turned while `number` events were parsed and checked."""
    store = TurnsOfTheLoop()
    queries = LiveQueries(store=store, view=await LiveView.of(store), audit=MemoryAuditLog())
    ingest = EventIngest(store=store, clock=SetClock())
    events = [
        {
            "event_id": f"e{each}",
            "type": "started",
            "call_id": f"call_{each}",
            "tenant_id": "clinic",
            "occurred_at": "2025-04-01T09:00:00Z",
        }
        for each in range(number)
    ]
    body = HttpBody(content_type="application/json", data=msgspec.json.encode({"events": events}))
    typed = pb.RecordEventsRequest()
    for each in events:
        event = typed.events.add(type=pb.EVENT_TYPE_STARTED)
        event.event_id, event.call_id = each["event_id"], each["call_id"]
        event.tenant_id = each["tenant_id"]
        event.occur_time.FromSeconds(NINE // SECOND)
    counting = asyncio.create_task(store.count())
    await asyncio.sleep(0)
    before = store.turns
    if rest:
        service = LiveMetricsRestService(queries, ingest)
        answer = await service.PostEvents(rest_pb.PostEventsRequest(body=body), CALL)
        assert answer.recorded == number
    else:
        typed_service = LiveMetricsService(queries, ingest)
        assert (await typed_service.RecordEvents(typed, CALL)).recorded == number
    counting.cancel()
    return store.turns_before_record[0] - before


async def test_the_loop_goes_on_while_a_large_batch_over_rest_is_parsed_and_checked() -> None:
    assert await turns_beside(LARGE, rest=True) >= 10


async def test_the_loop_goes_on_while_a_large_batch_over_grpc_is_parsed_and_checked() -> None:
    assert await turns_beside(LARGE, rest=False) >= 10


async def test_a_small_batch_is_parsed_without_a_thread() -> None:
    assert await turns_beside(10, rest=True) == 0
    assert await turns_beside(10, rest=False) == 0
