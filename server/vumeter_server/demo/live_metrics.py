"""A small voice-call server, played for as long as the product runs: something to watch.

Calls arrive at random, some are turned away, some transferred, some fail, and the pool of lines is
now and then too small for a lunch hour. Some are placed to remind of an appointment, and not all of
those reach anybody. Its tenants' names begin with `demo_`.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1 import live_metrics_pb2_grpc
from vumeter_server.demo.stage import Demo, Stage

SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tenant:
    tenant_id: str
    calls_a_minute: float
    lines: int


TENANTS = (
    _Tenant(tenant_id="demo_nordlicht_physio", calls_a_minute=6.0, lines=6),
    _Tenant(tenant_id="demo_harbour_dental", calls_a_minute=4.0, lines=4),
    _Tenant(tenant_id="demo_maple_veterinary", calls_a_minute=2.0, lines=5),
)
# Calls, but no set-up in the call server: each of its calls is turned away.
STRANGER = _Tenant(tenant_id="demo_not_set_up", calls_a_minute=0.3, lines=0)


# How calls end in which nobody talks.
NOT_REACHED = (
    pb.CALL_OUTCOME_CANCELED,
    pb.CALL_OUTCOME_NO_ANSWER,
    pb.CALL_OUTCOME_BUSY,
    pb.CALL_OUTCOME_VOICEMAIL,
)


@dataclass(slots=True, eq=False)
class CallServer:
    """Plays calls; `report` is given each event at the moment at which it occurs."""

    report: Callable[[pb.CallEvent], None]
    rng: random.Random
    speed: float = 1.0
    """How much faster than life it plays."""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    _number: int = 0
    _busy: dict[str, int] = field(default_factory=dict)

    async def play(self) -> None:
        """Play until cancelled."""
        async with asyncio.TaskGroup() as group:
            for tenant in (*TENANTS, STRANGER):
                group.create_task(self._receive_calls(tenant, group))

    async def _receive_calls(self, tenant: _Tenant, group: asyncio.TaskGroup) -> None:
        while True:
            await self._pass(self.rng.expovariate(tenant.calls_a_minute / SECONDS_A_MINUTE))
            group.create_task(self._call(tenant))

    async def _call(self, tenant: _Tenant) -> None:
        call_id = f"demo_{self.run_id}_{self._next()}"
        self._tell(pb.EVENT_TYPE_PENDING, tenant, call_id)
        await self._pass(self.rng.uniform(0.2, 1.5))
        reason = self._refusal(tenant)
        if reason:
            self._tell(pb.EVENT_TYPE_REJECTED, tenant, call_id).reason = reason
            return
        self._busy[tenant.tenant_id] = self._busy.get(tenant.tenant_id, 0) + 1
        try:
            self._tell(pb.EVENT_TYPE_ACCEPTED, tenant, call_id)
            await self._talk(tenant, call_id)
        finally:
            self._busy[tenant.tenant_id] -= 1

    async def _talk(self, tenant: _Tenant, call_id: str) -> None:
        await self._pass(self.rng.uniform(0.3, 2.0))
        if self.rng.random() < 0.1:
            ended = self._tell(pb.EVENT_TYPE_ENDED, tenant, call_id)
            ended.outcome = self.rng.choices(NOT_REACHED, [0.4, 0.3, 0.1, 0.2])[0]
            return
        self._tell(pb.EVENT_TYPE_STARTED, tenant, call_id)
        length = min(self.rng.lognormvariate(3.9, 0.6), 300.0)
        talked = 0.0
        while talked < length:
            pause = min(15.0, length - talked)
            await self._pass(pause)
            talked += pause
            audio = self._tell(pb.EVENT_TYPE_AUDIO, tenant, call_id)
            audio.minutes = round(talked / SECONDS_A_MINUTE, 3)
        if self.rng.random() < 0.08:
            self._tell(pb.EVENT_TYPE_REFERRED, tenant, call_id)
        ended = self._tell(pb.EVENT_TYPE_ENDED, tenant, call_id)
        ended.minutes = round(length / SECONDS_A_MINUTE, 3)
        ended.outcome = self.rng.choices(
            [pb.CALL_OUTCOME_COMPLETED, pb.CALL_OUTCOME_HUNG_UP, pb.CALL_OUTCOME_FAILED],
            [0.8, 0.15, 0.05],
        )[0]

    def _refusal(self, tenant: _Tenant) -> pb.RejectionReason:
        """Draw why a call is turned away, unspecified if it is not."""
        if tenant is STRANGER:
            return pb.REJECTION_REASON_TENANT_NOT_CONFIGURED
        if self._busy.get(tenant.tenant_id, 0) >= tenant.lines:
            return pb.REJECTION_REASON_CAPACITY
        drawn = self.rng.random()
        if drawn < 0.01:
            self._tell(pb.EVENT_TYPE_INSTRUCTIONS_DB_ERROR, tenant)
            return pb.REJECTION_REASON_INSTRUCTIONS_MISSING
        if drawn < 0.04:
            self._tell(pb.EVENT_TYPE_FALLBACK_INSTRUCTIONS_USED, tenant)
        return pb.REJECTION_REASON_UNSPECIFIED

    def _tell(self, kind: pb.EventType, tenant: _Tenant, call_id: str = "") -> pb.CallEvent:
        """Report an event; it is sent with what its caller adds before the next pause."""
        event = pb.CallEvent(
            event_id=f"demo_{self.run_id}_{self._next()}",
            type=kind,
            call_id=call_id,
            tenant_id=tenant.tenant_id,
        )
        event.occur_time.FromMicroseconds(time.time_ns() // 1_000)
        self.report(event)
        return event

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _pass(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


async def play(stage: Stage) -> None:
    """Play the call server and report what happens over one stream, until cancelled."""
    waiting: asyncio.Queue[pb.CallEvent] = asyncio.Queue()
    server = CallServer(report=waiting.put_nowait, rng=random.Random())  # noqa: S311
    metadata = (("x-admin-token", stage.admin_token),)
    async with stage.channel() as channel:
        stub = live_metrics_pb2_grpc.LiveMetricsServiceStub(channel)
        for tenant in TENANTS:
            await stub.SetTenantLimit(
                pb.SetTenantLimitRequest(
                    tenant_id=tenant.tenant_id, max_concurrent_calls=tenant.lines
                ),
                metadata=metadata,
            )
        capacity = await stub.GetCapacity(pb.GetCapacityRequest(), metadata=metadata)
        for event in hang_up(capacity):
            waiting.put_nowait(event)
        playing = asyncio.create_task(server.play())
        try:
            async for _ in stub.StreamEvents(_requests(waiting), metadata=metadata):
                pass
        finally:
            playing.cancel()


def hang_up(capacity: pb.GetCapacityResponse) -> list[pb.CallEvent]:
    """Return the ends of calls that were going on when an earlier play was cut off."""
    left = {
        call.call_id: call.tenant_id
        for calls in (capacity.pending_calls, capacity.accepted_calls)
        for call in calls
        if call.call_id.startswith("demo_") and call.tenant_id.startswith("demo_")
    }
    events = []
    for call_id, tenant_id in left.items():
        event = pb.CallEvent(
            event_id=f"{call_id}_cut_off",
            type=pb.EVENT_TYPE_ENDED,
            call_id=call_id,
            tenant_id=tenant_id,
            outcome=pb.CALL_OUTCOME_HUNG_UP,
        )
        event.occur_time.FromMicroseconds(time.time_ns() // 1_000)
        events.append(event)
    return events


async def _requests(waiting: asyncio.Queue[pb.CallEvent]) -> AsyncIterator[pb.StreamEventsRequest]:
    while True:
        events = [await waiting.get()]
        while not waiting.empty():
            events.append(waiting.get_nowait())
        yield pb.StreamEventsRequest(events=events)


DEMO = Demo(family="live_metrics", play=play)
