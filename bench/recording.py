"""Durable recording: points a second over gRPC, point by point and as columns, and over REST."""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import orjson
import requests

from bench.dataset import METRIC_NAMES, METRICS, Dataset
from bench.measured import Measured
from bench.mix import Q5
from bench.over_rest import PATHS
from bench.product import Product
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc as stubs

BATCH = 1_000
IN_FLIGHT = 16
REST_CLIENTS = 4


def fsync_milliseconds(directory: Path) -> float:
    """Return how long the disk takes to sync a small write."""
    times = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1_000


def points_of(dataset: Dataset, part: slice) -> list[pb.Point]:
    """Return points as messages."""
    points = []
    for metric, label_set, session, time_us, value in zip(
        dataset.metrics[part].tolist(),
        dataset.label_set_indexes[part].tolist(),
        dataset.sessions[part].tolist(),
        dataset.times_us[part].tolist(),
        dataset.values[part].tolist(),
        strict=True,
    ):
        labels = dataset.label_sets[label_set]
        point = pb.Point(
            name=METRIC_NAMES[metric],
            type=METRICS[metric].type.name_in_proto,
            value=value,
            agent_id=labels.agent_id,
            environment_id=labels.environment_id,
            session_id=dataset.session_ids[session],
            tags=labels.tags,
        )
        point.timestamp.FromMicroseconds(time_us)
        points.append(point)
    return points


def columns_of(dataset: Dataset, part: slice) -> pb.PointColumns:
    """Return points as columns."""
    names, name_indexes = np.unique(dataset.metrics[part], return_inverse=True)
    label_sets, label_set_indexes = np.unique(dataset.label_set_indexes[part], return_inverse=True)
    sessions, session_indexes = np.unique(dataset.sessions[part], return_inverse=True)
    return pb.PointColumns(
        names=[METRIC_NAMES[code] for code in names.tolist()],
        types=[METRICS[code].type.name_in_proto for code in names.tolist()],
        name_indexes=name_indexes.tolist(),
        values=dataset.values[part].tolist(),
        times_us=dataset.times_us[part].tolist(),
        label_sets=[
            pb.LabelSet(
                agent_id=dataset.label_sets[index].agent_id,
                environment_id=dataset.label_sets[index].environment_id,
                tags=dataset.label_sets[index].tags,
            )
            for index in label_sets.tolist()
        ],
        label_set_indexes=label_set_indexes.tolist(),
        sessions=[dataset.session_ids[number] for number in sessions.tolist()],
        session_indexes=(session_indexes + 1).tolist(),
    )


def bodies_of(dataset: Dataset, parts: Iterable[slice]) -> list[bytes]:
    """Return points as REST bodies."""
    return [
        orjson.dumps(
            {
                "points": [
                    {
                        "name": point.name,
                        "type": METRICS[METRIC_NAMES.index(point.name)].type.name.lower(),
                        "value": point.value,
                        "timestamp": point.timestamp.ToJsonString(),
                        "agentId": point.agent_id,
                        "environmentId": point.environment_id,
                        "sessionId": point.session_id,
                        "tags": dict(point.tags),
                    }
                    for point in points_of(dataset, part)
                ]
            }
        )
        for part in parts
    ]


def _parts(dataset: Dataset, count: int, first: int = 0) -> list[slice]:
    starts = range(first * BATCH, min((first + count) * BATCH, len(dataset)), BATCH)
    return [slice(start, start + BATCH) for start in starts]


async def stream(
    product: Product, method: str, batches: Sequence[Any], pace: float | None = None
) -> float:
    """Send batches over one stream, 16 in flight, and return how many points a second it took.

    With `pace` no more points a second are sent.
    """
    metadata = (("authorization", f"Bearer {product.bearer}"),)
    recorded = 0
    async with grpc.aio.insecure_channel(product.grpc_target) as channel:
        call = getattr(stubs.CustomMetricsServiceStub(channel), method)(metadata=metadata)
        free = asyncio.Semaphore(IN_FLIGHT)
        started = time.perf_counter()

        async def send() -> None:
            for number, batch in enumerate(batches):
                await free.acquire()
                if pace is not None:
                    due = started + number * BATCH / pace
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await call.write(batch)
            await call.done_writing()

        sending = asyncio.create_task(send())
        async for answer in call:
            if answer.error.message:
                raise RuntimeError(answer.error.message)
            recorded += answer.recorded
            free.release()
        await sending
        return recorded / (time.perf_counter() - started)


async def measure(product: Product, dataset: Dataset, batches: int) -> list[Measured]:
    """Return points a second, each batch answered after its commit."""
    points = [
        pb.StreamPointsRequest(points=points_of(dataset, part)) for part in _parts(dataset, batches)
    ]
    columns = [
        pb.StreamColumnsRequest(columns=columns_of(dataset, part))
        for part in _parts(dataset, 2 * batches)
    ]
    bodies = bodies_of(dataset, _parts(dataset, batches))
    by_point = await stream(product, "StreamPoints", points)
    by_column = await stream(product, "StreamColumns", columns)
    over_rest = await asyncio.to_thread(_post, product, bodies)
    return [
        _rate("gRPC stream of points, batches of 1,000, 16 in flight", by_point, 100_000),
        _rate("gRPC stream of columns, batches of 1,000, 16 in flight", by_column, 300_000),
        _rate(f"REST, batches of 1,000, {REST_CLIENTS} clients", over_rest, 60_000),
    ]


def _rate(what: str, value: float, limit: float) -> Measured:
    return Measured(what=what, value=value, unit="points/s", limit=limit, higher_is_better=True)


def _post(product: Product, bodies: Sequence[bytes]) -> float:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    headers = {"Authorization": f"Bearer {product.bearer}", "Content-Type": "application/json"}

    def client(mine: Sequence[bytes]) -> int:
        recorded = 0
        with requests.Session() as session:
            for body in mine:
                answer = session.post(product.rest_url + PATHS, data=body, headers=headers)
                answer.raise_for_status()
                recorded += answer.json()["data"]["recorded"]
        return recorded

    started = time.perf_counter()
    with ThreadPoolExecutor(REST_CLIENTS) as clients:
        recorded = sum(clients.map(client, [bodies[n::REST_CLIENTS] for n in range(REST_CLIENTS)]))
    return recorded / (time.perf_counter() - started)


async def latencies(product: Product, dataset: Dataset, rate: float) -> Iterator[Measured]:
    """Return Q5's p99 while recording at `rate`, against its p99 at rest."""
    paths = [PATHS + ask.path() for ask in Q5.asks(dataset, 500)]
    at_rest = await asyncio.to_thread(_p99, product, paths)
    batches = [
        pb.StreamColumnsRequest(columns=columns_of(dataset, part))
        for part in _parts(dataset, max(int(rate * 8 / BATCH), 1))
    ]
    recording = asyncio.create_task(stream(product, "StreamColumns", batches, pace=rate))
    await asyncio.sleep(1)
    while_recording = await asyncio.to_thread(_p99, product, paths)
    await recording
    return iter(
        [
            Measured(
                what=f"Q5's p99 at {rate:.0f} points/s: {while_recording * 1e3:.1f} ms,"
                f" at rest {at_rest * 1e3:.1f}",
                value=while_recording / at_rest,
                unit="times",
                limit=5,
            )
        ]
    )


async def names_beside_heavy_queries(product: Product, dataset: Dataset) -> Measured:
    """Return the p99 of names while four heavy queries run, against its p99 at rest."""
    names = [PATHS + "/names"] * 500
    heavy = f"{PATHS}/aggregate?startDate=2020-01-01&endDate=2029-12-31&groupBy=session_id"
    del dataset
    at_rest = await asyncio.to_thread(_p99, product, names)
    stop = asyncio.Event()
    loops = [asyncio.create_task(_ask_until(product, heavy, stop)) for _ in range(4)]
    await asyncio.sleep(0.5)
    beside = await asyncio.to_thread(_p99, product, names)
    stop.set()
    await asyncio.gather(*loops)
    return Measured(
        what=f"names' p99 beside 4 heavy queries: {beside * 1e3:.1f} ms,"
        f" at rest {at_rest * 1e3:.1f}",
        value=beside / at_rest,
        unit="times",
        limit=5,
    )


async def _ask_until(product: Product, path: str, stop: asyncio.Event) -> None:
    headers = {"Authorization": f"Bearer {product.bearer}"}
    get: Callable[[], Any] = lambda: requests.get(  # noqa: E731
        product.rest_url + path, headers=headers, timeout=60
    )
    while not stop.is_set():
        await asyncio.to_thread(get)


def _p99(product: Product, paths: Sequence[str]) -> float:
    headers = {"Authorization": f"Bearer {product.bearer}"}
    times = []
    with requests.Session() as session:
        for path in itertools.chain(paths[:20], paths):
            started = time.perf_counter()
            session.get(product.rest_url + path, headers=headers).raise_for_status()
            times.append(time.perf_counter() - started)
    return sorted(times[20:])[int(len(paths) * 0.99) - 1]
