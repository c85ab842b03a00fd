"""Two weeks of voice agents at five practices, as custom metrics; later the time since.

Every hour is made from its own seed and from nothing else, and recorded as one batch whose
idempotency key names the hour. So a load that was interrupted goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc.aio

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc
from vumeter_server.demo.sessions import Session, sessions_of_hour
from vumeter_server.demo.stage import (
    MAX_EXTENDED_DAYS,
    Demo,
    ShowProgress,
    Stage,
    failure,
)
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US

DAYS = 14
GAUGE_EVERY_US = 15 * MINUTE_US


async def load(stage: Stage, show_progress: ShowProgress) -> int:
    """Record every hour that passed since the thirteenth midnight (UTC) before the stage's day.

    What is there is extended by the hours since, of the metrics that are still as they were: one
    that was deleted, or recorded again with another type, is left alone.
    """
    hours = hours_before(stage.begun_us)
    recorded = 0
    metadata = (("authorization", f"Bearer {stage.bearer}"),)
    async with stage.channel() as channel:
        stub = custom_metrics_pb2_grpc.CustomMetricsServiceStub(channel)
        known = None
        if stage.from_us is not None:
            hours = hours_between(stage.from_us, stage.begun_us)
            known = await _known(stub, metadata)
        if not hours:
            return 0
        call = stub.StreamPoints(metadata=metadata)
        writing = asyncio.create_task(_write(call, hours, known))
        try:
            async for answer in call:
                if answer.HasField("error"):
                    raise failure(answer.error.code, answer.error.message)
                recorded += answer.recorded
                show_progress(answer.sequence / len(hours))
        finally:
            writing.cancel()
    return recorded


DEMO = Demo(family="custom_metrics", load=load, what="points of custom metrics")


def hours_before(now_us: int) -> list[int]:
    """Return the starts of the whole hours of the 14 days (UTC) that end today."""
    first_us = (now_us // DAY_US - (DAYS - 1)) * DAY_US
    return list(range(first_us, now_us - HOUR_US + 1, HOUR_US))


def hours_between(from_us: int, now_us: int) -> list[int]:
    """Return the starts of the whole hours since the last whole one before `from_us`."""
    first_us = max(from_us, now_us - MAX_EXTENDED_DAYS * DAY_US) // HOUR_US * HOUR_US
    return list(range(first_us, now_us - HOUR_US + 1, HOUR_US))


def request_of_hour(hour_us: int) -> pb.StreamPointsRequest:
    """Return all points of an hour; always the same."""
    name = datetime.fromtimestamp(hour_us // SECOND_US, UTC).strftime("%Y%m%d%H")
    rng = random.Random(f"vumeter demo {name}")  # noqa: S311 - plausible, not secret
    request = pb.StreamPointsRequest(idempotency_key=f"demo-{name}")
    sessions = sessions_of_hour(hour_us, name, rng)
    for session in sessions:
        _Recorder(request, session, rng).record()
    _record_gauges(request, hour_us, sessions)
    return request


async def _known(stub: Any, metadata: Any) -> Mapping[str, pb.MetricType]:
    """Return the types of the metrics that the organization has, by name."""
    found = await stub.ListMetrics(pb.ListMetricsRequest(), metadata=metadata)
    return {each.name: each.type for each in found.metrics}


def _only(request: pb.StreamPointsRequest, known: Mapping[str, int]) -> pb.StreamPointsRequest:
    """Return the request with the points of known metrics alone."""
    points = [point for point in request.points if known.get(point.name) == point.type]
    return pb.StreamPointsRequest(idempotency_key=request.idempotency_key, points=points)


async def _write(
    call: grpc.aio.StreamStreamCall[Any, Any],
    hours: Sequence[int],
    known: Mapping[str, int] | None,
) -> None:
    # A call that has ended cannot be written to; whoever reads it learns why it ended.
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        for hour_us in hours:
            request = request_of_hour(hour_us)
            await call.write(request if known is None else _only(request, known))
        await call.done_writing()


def _record_gauges(
    request: pb.StreamPointsRequest, hour_us: int, sessions: Sequence[Session]
) -> None:
    for time_us in range(hour_us, hour_us + HOUR_US, GAUGE_EVERY_US):
        for agent_id in sorted({session.agent_id for session in sessions}):
            running = sum(
                session.agent_id == agent_id
                and session.start_us <= time_us < session.start_us + session.duration_us
                for session in sessions
            )
            point = request.points.add(
                name="concurrent_sessions",
                type=pb.METRIC_TYPE_GAUGE,
                value=running,
                agent_id=agent_id,
                environment_id="production",
            )
            point.occur_time.FromMicroseconds(time_us)


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Records what happened in one session."""

    request: pb.StreamPointsRequest
    session: Session
    rng: random.Random

    def record(self) -> None:
        session = self.session
        self._count("sessions_handled", 0.0)
        for turn in range(session.turns):
            at = (turn + 0.5) / session.turns
            ttft_ms = self.rng.lognormvariate(0.0, 0.3) * session.ttft_ms
            speech_ms = self.rng.lognormvariate(0.0, 0.2) * session.speech_ms
            self._measure("ttft_ms", at, round(ttft_ms))
            self._measure("e2e_latency_ms", at, round(ttft_ms + speech_ms))
        for topic in session.topics:
            self._count("faq_query", self.rng.uniform(0.1, 0.6), topic=topic)
        for intent in session.intents:
            self._count(f"{intent}_attempt", 0.4)
            if self.rng.random() < _COMPLETED[intent]:
                self._count(f"{intent}_completed", 0.9)
        if session.transfer_reason:
            self._count("transfer_to_human", 0.95, reason=session.transfer_reason)
        self._measure("session_duration_seconds", 1.0, session.duration_us / SECOND_US)

    def _count(self, name: str, at: float, **tags: str) -> None:
        self._add(name, pb.METRIC_TYPE_COUNTER, at, 1, tags)

    def _measure(self, name: str, at: float, value: float) -> None:
        self._add(name, pb.METRIC_TYPE_HISTOGRAM, at, value, {})

    def _add(
        self, name: str, metric_type: pb.MetricType, at: float, value: float, tags: dict[str, str]
    ) -> None:
        session = self.session
        point = self.request.points.add(
            name=name,
            type=metric_type,
            value=value,
            agent_id=session.agent_id,
            environment_id=session.environment_id,
            session_id=session.session_id,
            tags={**session.tags, **tags},
        )
        time_us = session.start_us + int(at * session.duration_us)
        point.occur_time.FromMicroseconds(time_us // 1_000 * 1_000)


_COMPLETED = {"booking": 0.72, "cancellation": 0.86}
