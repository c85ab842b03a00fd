"""What callers are told whose calls arrive while the server ends in order."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from tests.end_to_end.callers import bearer
from tests.end_to_end.killing import running
from tests.waiting import comes_to_hold

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub

CALLERS = 200
REQUEST = pb.RecordPointsRequest(points=[pb.Point(name="turns")])


async def test_calls_that_wait_when_the_server_ends_are_unavailable_and_not_cancelled(
    tmp_path: Path,
) -> None:
    codes: Counter[grpc.StatusCode] = Counter()
    with running(tmp_path) as stack:
        metadata = tuple(bearer(stack.make_key()).items())
        async with grpc.aio.insecure_channel(stack.grpc_target) as channel:
            stub: Any = CustomMetricsServiceStub(channel)

            async def record_until_rejected() -> None:
                try:
                    while True:
                        await stub.RecordPoints(REQUEST, metadata=metadata)
                        codes[grpc.StatusCode.OK] += 1
                except grpc.aio.AioRpcError as error:
                    codes[error.code()] += 1

            callers = [asyncio.create_task(record_until_rejected()) for _ in range(CALLERS)]
            await comes_to_hold(lambda: codes[grpc.StatusCode.OK] > CALLERS)
            stack.process.send_signal(signal.SIGTERM)
            await asyncio.gather(*callers)
    assert codes.keys() == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    assert codes[grpc.StatusCode.UNAVAILABLE] == CALLERS
