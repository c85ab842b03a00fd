"""Batches sent over one gRPC stream, some in flight, each answered once it is on disk."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc.aio

from bench.stack import Stack
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb

IN_FLIGHT = 16
SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
_RESPONSES: dict[str, Any] = {
    "StreamPoints": pb.StreamPointsResponse,
    "StreamColumns": pb.StreamColumnsResponse,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What a stream recorded."""

    points: int
    seconds: float

    @property
    def rate(self) -> float:
        """Points a second."""
        return self.points / self.seconds


def record(
    stack: Stack,
    method: str,
    batches: Iterable[bytes],
    *,
    batches_a_second: float | None = None,
    waits: list[float] | None = None,
) -> Recorded:
    """Send batches that are encoded already, 16 in flight; at most so many a second.

    To `waits` the seconds are added for which each batch waited for its answer. Raises RuntimeError
    if one was rejected.
    """
    return asyncio.run(_record(stack, method, batches, batches_a_second, waits))


async def _record(
    stack: Stack,
    method: str,
    batches: Iterable[bytes],
    batches_a_second: float | None,
    waits: list[float] | None,
) -> Recorded:
    free = asyncio.Semaphore(IN_FLIGHT)
    # When each batch was sent that is not answered yet.
    sent_at: deque[float] = deque()
    points = answered = 0
    async with grpc.aio.insecure_channel(stack.grpc_target) as channel:
        # No request serializer: what is measured is the server, not this client's encoding.
        call: Any = channel.stream_stream(
            f"/{SERVICE}/{method}", response_deserializer=_RESPONSES[method].FromString
        )(metadata=(("authorization", f"Bearer {stack.bearer}"),))
        started = time.perf_counter()

        async def send() -> None:
            for number, batch in enumerate(batches):
                await free.acquire()
                if batches_a_second is not None:
                    due = started + number / batches_a_second
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                sent_at.append(time.perf_counter())
                await call.write(batch)
            await call.done_writing()

        sending = asyncio.create_task(send())
        async for answer in call:
            if answer.error.message:
                raise RuntimeError(answer.error.message)
            points += answer.recorded
            # An answer may be for several batches.
            for _ in range(answer.sequence - answered):
                waited = time.perf_counter() - sent_at.popleft()
                if waits is not None:
                    waits.append(waited)
                free.release()
            answered = answer.sequence
        await sending
        return Recorded(points=points, seconds=time.perf_counter() - started)
