"""What OpenTelemetry costs: exporters that record over gRPC, and the export of a job of LiveKit."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import grpc.aio
import numpy as np
import requests
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as pb

from bench import messages, otlp_requests
from bench.dataset import METRIC_NAMES
from bench.load import Target
from bench.product import EMPTY_PATH
from bench.report import Measured, rate, times_as_long
from bench.run import Run, Section
from bench.stack import PATHS, Stack, running

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
IN_FLIGHT = 16
POINTS_AT_LEAST = 100_000
JOB_AT_MOST = 5
JOB_PATH = "/observability/metrics/otlp/v0"
JOBS = 2_000


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="otlp",
            title="OpenTelemetry",
            note=(
                f"Requests of {messages.BATCH:,} points with {otlp_requests.SETS:,} label sets of"
                " the data set, as many as an SDK keeps, and its sessions, encoded before the"
                f" clock starts, over gRPC with {IN_FLIGHT} in flight, each answered after its"
                " commit; what was recorded is compared with what was sent. A job of LiveKit is"
                " one request of 11 kB, gzip, each another room: one client through Envoy in turns"
                " with the empty RPC."
            ),
            measure=measure,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Record sums and histograms, then jobs of LiveKit."""
    batches = 300 if run.full else 120
    points = messages.first_points(run.dataset, batches)
    points = messages.as_of_now(points, int(time.time() * 1_000_000))
    values = np.abs(points.values)
    deltas = [
        otlp_requests.delta_sums(replace(points, values=values), part)
        for part in messages.parts(points, batches)
    ]
    yield _measure(run, "gRPC, delta sums", deltas, math.fsum(values), POINTS_AT_LEAST)
    cumulative = list(otlp_requests.cumulative_sums(points, batches))
    counted = float(otlp_requests.SERIES * batches)
    yield _measure(run, "gRPC, cumulative sums", cumulative, counted, POINTS_AT_LEAST)
    for what, histograms in (
        (
            f"gRPC, histograms of {otlp_requests.BUCKETS} buckets",
            otlp_requests.histograms(points, batches // 4, fine=False),
        ),
        (
            f"gRPC, exponential histograms of {otlp_requests.EXPONENTIAL_BUCKETS} buckets",
            otlp_requests.histograms(points, batches // 4, fine=True),
        ),
    ):
        yield _measure(run, what, list(histograms), float(batches // 4 * messages.BATCH), None)
    yield from _measure_jobs(run)


def _measure(
    run: Run, what: str, exports: Sequence[bytes], counted: float, at_least: int | None
) -> Measured:
    run.say(what)
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        seconds = asyncio.run(_export(stack, exports))
        recorded = _sum_of_all(stack)
        if not math.isclose(recorded, counted, rel_tol=1e-9):
            raise RuntimeError(f"{what}: {recorded} is recorded of {counted}")
    return rate(what, len(exports) * messages.BATCH / seconds, "points/s", at_least)


async def _export(stack: Stack, exports: Sequence[bytes]) -> float:
    """Send requests that are encoded already, in their order; return how long that took."""
    free = asyncio.Semaphore(IN_FLIGHT)
    metadata = (("authorization", f"Bearer {stack.bearer}"),)
    async with grpc.aio.insecure_channel(stack.grpc_target) as channel:
        export: Any = channel.unary_unary(
            METHOD, response_deserializer=pb.ExportMetricsServiceResponse.FromString
        )

        async def send(request: bytes) -> None:
            try:
                answer = await export(request, metadata=metadata, timeout=60)
            finally:
                free.release()
            if answer.partial_success.rejected_data_points:
                raise RuntimeError(answer.partial_success.error_message)

        started = time.perf_counter()
        sending = []
        for request in exports:
            await free.acquire()
            sending.append(asyncio.create_task(send(request)))
        await asyncio.gather(*sending)
        return time.perf_counter() - started


def _sum_of_all(stack: Stack) -> float:
    body = {
        "startDate": "2020-01-01",
        "endDate": "2029-12-31",
        "metrics": [{"as": name, "metric": name, "function": "sum"} for name in METRIC_NAMES],
    }
    answer = requests.post(
        f"{stack.rest_url}{PATHS}/query", json=body, headers=stack.headers, timeout=60
    )
    if answer.status_code != HTTPStatus.OK:
        raise RuntimeError(answer.text)
    (row,) = answer.json()["data"]["rows"]
    return math.fsum(row["values"].values())


def _measure_jobs(run: Run) -> Iterator[Measured]:
    run.say("jobs of LiveKit")
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        bodies = []
        for number, body in enumerate(otlp_requests.jobs(JOBS)):
            bodies.append(directory / f"{number}.bin")
            bodies[-1].write_bytes(body)
        jobs = Target(
            base_url=stack.rest_url,
            headers=stack.headers
            | {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
            paths=[JOB_PATH] * JOBS,
            bodies=bodies,
        )
        empty = Target(base_url=stack.rest_url, headers=stack.headers, paths=[EMPTY_PATH])
        base, sent = [], []
        offset = 0
        for _ in range(4 if run.full else 2):
            base.append(empty.send(directory, clients=1, seconds=1).p50_ms)
            done = jobs.send(directory, clients=1, seconds=1, offset=offset)
            offset += done.requests
            sent.append(done.p50_ms)
        if offset > JOBS:
            raise RuntimeError("some jobs were sent twice, which is quicker")
    yield times_as_long(
        "a job of LiveKit, 1 client",
        statistics.median(sent),
        statistics.median(base),
        "ms",
        "empty RPC",
        JOB_AT_MOST,
    )
