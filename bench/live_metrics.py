"""What live metrics cost: recording events, the documented answers, and many watchers.

Calls are reported over one gRPC stream. The endpoints are asked through Envoy, against an empty RPC
(a health check) on the same way: with many active calls, before and after many more events were
recorded, and under load.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc
import grpc.aio
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.live_events import (
    LOAD_EVENTS_A_SECOND,
    METADATA,
    batches,
    load,
    send,
    started_calls,
    whole_calls,
)
from bench.report import Measured, bounded
from bench.run import Run, Section
from bench.stack import ADMIN_TOKEN, Stack, resident, running
from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

REQUESTS = 400
ACTIVE = 10_000
EVENTS = 1_000_000
WATCHERS = 500
PATHS = "/api/v1/metrics"


class Bench:
    """Measures one product."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self._say = say
        self._stack = stack
        self._session = requests.Session()
        self._session.headers["X-Admin-Token"] = ADMIN_TOKEN
        through_envoy = grpc.insecure_channel(stack.edge_target)
        self._empty = partial(
            health_pb2_grpc.HealthStub(through_envoy).Check, health_pb2.HealthCheckRequest()
        )

    def recording(self, events: int) -> Iterator[Measured]:
        """Measure durable recording over one stream."""
        for size in (100, 1):
            calls = (events if size > 1 else events // 5) // 6
            made = list(batches(whole_calls(f"record{size}", calls), size))
            yield bounded(
                what=f"durable recording over one gRPC stream, {size} events a request",
                value=asyncio.run(send(self._stack.grpc_target, made)),
                unit="events/s",
                limit=LOAD_EVENTS_A_SECOND,
                higher_is_better=True,
            )

    def start_calls(self, number: int) -> None:
        """Make calls active that stay so."""
        made = list(batches(started_calls("active", number), 500))
        asyncio.run(send(self._stack.grpc_target, made))

    def endpoints(self, when: str) -> dict[str, float]:
        """Return the median of each documented endpoint in ms, and that of an empty RPC."""
        paths = {
            "global": f"{PATHS}/live",
            "tenant": f"{PATHS}/live/tenant_7",
            "capacity": f"{PATHS}/capacity/debug",
        }
        # In turns, so that what else the machine does falls on all alike.
        asks: dict[str, Callable[[], object]] = {"empty RPC": self._empty}
        asks |= {name: partial(self._get, path) for name, path in paths.items()}
        times: dict[str, list[float]] = {name: [] for name in asks}
        for number in range(REQUESTS):
            for name, ask in asks.items():
                if name != "capacity" or number % 10 == 0:
                    times[name].append(_ms(ask))
        medians = {name: statistics.median(each) for name, each in times.items()}
        shown = ", ".join(f"{name} {median:.2f} ms" for name, median in medians.items())
        self._say(f"{when}: {shown}")
        return medians

    def under_load(self) -> Measured:
        """Measure the global endpoint while events come in at the pace of the load."""
        context = multiprocessing.get_context("spawn")
        loading = context.Process(target=load, args=(self._stack.grpc_target, "load", 6.0))
        loading.start()
        time.sleep(2.5)
        medians = self.endpoints(f"while {LOAD_EVENTS_A_SECOND:,} events/s are recorded")
        loading.join()
        return bounded(
            what="global endpoint over REST while 5,000 events/s are recorded",
            value=medians["global"] / medians["empty RPC"],
            unit="x empty",
            limit=3,
        )

    async def watchers(self, number: int) -> Iterator[Measured]:
        """Measure how long after the last event the last of many watchers knows the true state."""
        events = 5_000
        run = "watched"
        made = list(batches(started_calls(run, events), 50))
        behind: list[float] = []
        sent_at = 0.0
        before = self._get(f"{PATHS}/live")["active_calls"]

        async with grpc.aio.insecure_channel(self._stack.edge_target) as channel:
            stub: Any = LiveMetricsServiceStub(channel)

            async def follow() -> None:
                request = pb.WatchLiveMetricsRequest(max_updates_per_second=2)
                async for told in stub.WatchLiveMetrics(request, metadata=METADATA):
                    if told.metrics.active_calls == before + events:
                        behind.append(time.perf_counter() - sent_at)
                        return

            following = [asyncio.create_task(follow()) for _ in range(number)]
            await asyncio.sleep(1)
            await send(self._stack.grpc_target, made, 1_000)
            sent_at = time.perf_counter()
            async with asyncio.timeout(60):
                await asyncio.gather(*following)
        return iter(
            [
                bounded(
                    what=f"{number} watchers, 1,000 events/s: last to know the true state",
                    value=max(*behind, 0.0),
                    unit="s",
                    limit=5,
                ),
                bounded(
                    what=f"memory of supervisor and server after {number} watchers",
                    value=resident(self._stack.pids()).of_servers,
                    unit="MB",
                    limit=300,
                ),
            ]
        )

    def record_more(self, events: int) -> None:
        """Record past events in steps that the client's memory holds."""
        began = time.perf_counter()
        for part in range(0, events, 120_000):
            number = min(120_000, events - part) // 6
            asyncio.run(
                send(
                    self._stack.grpc_target, list(batches(whole_calls(f"past{part}", number), 500))
                )
            )
        self._say(f"{events:,} events recorded in {time.perf_counter() - began:.0f} s")

    def _get(self, path: str) -> Any:
        answer = self._session.get(self._stack.rest_url + path, timeout=30)
        answer.raise_for_status()
        return answer.json() if path.endswith("live") else answer.content


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="live",
            title="Live metrics",
            note=(
                f"{ACTIVE:,} active calls, {EVENTS:,} past events, {WATCHERS} watchers; times are"
                " medians of one client, against a health check through the same Envoy."
            ),
            measure=measure,
            full_only=True,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Start a product, and measure it."""
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        yield from _measure(Bench(stack, run.say), events=EVENTS, active=ACTIVE, watchers=WATCHERS)


def _measure(bench: Bench, *, events: int, active: int, watchers: int) -> Iterator[Measured]:
    """Measure everything, in the order of the report."""
    yield from bench.recording(60_000)
    bench.start_calls(active)
    few = bench.endpoints(f"{active:,} active calls, few past events")
    yield bounded(
        what=f"global endpoint over REST, {active:,} active calls",
        value=few["global"] / few["empty RPC"],
        unit="x empty",
        limit=3,
    )
    yield bench.under_load()
    yield from asyncio.run(bench.watchers(watchers))
    few = bench.endpoints("few past events")
    bench.record_more(events)
    many = bench.endpoints(f"{events:,} past events")
    for name in ("global", "tenant", "capacity"):
        yield bounded(
            what=f"{name} endpoint with {events:,} more past events, against before",
            value=(many[name] / many["empty RPC"]) / (few[name] / few["empty RPC"]),
            unit="times",
            limit=1.3,
        )


def _ms(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1_000
