"""What live metrics cost, as ratios within one run.

Usage:
    python bench/live_metrics.py [--events N] [--active N] [--watchers N]

Starts `vumeter up` on a new database and reports calls to it over one gRPC stream: how many events
a second it takes, what the documented endpoints cost through Envoy against an empty RPC (a health
check) on the same way, with many active calls, before and after `--events` more were recorded, and
under load; and what many watchers cost.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

TOKEN = "token-of-the-benchmark-0123456789abcdef"
METADATA = (("x-admin-token", TOKEN),)
TENANTS = 50
REQUESTS = 400
LOAD_EVENTS_A_SECOND = 5_000
PATHS = "/api/v1/metrics"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One line of the report; `limit` is the highest `value` that will do, or the lowest."""

    what: str
    value: float
    unit: str
    limit: float
    higher_is_better: bool = False

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.value >= self.limit if self.higher_is_better else self.value <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.higher_is_better else "<="
        verdict = "holds" if self.holds else "FAILS"
        return (
            f"{self.what:<72} {self.value:>10.2f} {self.unit:<9} {sign} {self.limit:<7g} {verdict}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A running `vumeter up`."""

    rest_url: str
    target: str
    pid: int

    @property
    def edge_target(self) -> str:
        """Envoy's port as a gRPC target."""
        return self.rest_url.removeprefix("http://")


def whole_calls(run: str, number: int) -> Iterator[pb.CallEvent]:
    """Return the events of `number` calls, six a call, up to 10,000 calls going on at once."""
    now = int(time.time()) - 3_600
    for first in range(0, number, 10_000):
        for step in range(6):
            for call in range(first, min(first + 10_000, number)):
                event = _event(run, call, f"{run}-{call}-{step}", now + call // 100 + step * 30)
                _fill(event, step)
                yield event


def _fill(event: pb.CallEvent, step: int) -> None:
    event.type = (
        pb.EVENT_TYPE_PENDING,
        pb.EVENT_TYPE_ACCEPTED,
        pb.EVENT_TYPE_STARTED,
        pb.EVENT_TYPE_AUDIO,
        pb.EVENT_TYPE_AUDIO,
        pb.EVENT_TYPE_ENDED,
    )[step]
    if step >= 3:
        event.minutes = step - 2
    if step == 5:
        event.outcome = pb.CALL_OUTCOME_COMPLETED


def started_calls(run: str, number: int) -> Iterator[pb.CallEvent]:
    """Return an event for each of `number` calls that start and go on."""
    now = int(time.time()) - 60
    for call in range(number):
        event = _event(run, call, f"{run}-{call}", now + call % 60)
        event.type = pb.EVENT_TYPE_STARTED
        yield event


def _event(run: str, call: int, event_id: str, at: int) -> pb.CallEvent:
    event = pb.CallEvent(
        event_id=event_id, call_id=f"{run}-{call}", tenant_id=f"tenant_{call % TENANTS}"
    )
    event.occurred_at.FromSeconds(at)
    return event


def batches(events: Iterator[pb.CallEvent], size: int) -> Iterator[pb.StreamEventsRequest]:
    """Return events as requests of a stream."""
    waiting = []
    for event in events:
        waiting.append(event)
        if len(waiting) == size:
            yield pb.StreamEventsRequest(events=waiting)
            waiting = []
    if waiting:
        yield pb.StreamEventsRequest(events=waiting)


async def send(
    target: str, requests_: Sequence[pb.StreamEventsRequest], events_a_second: float | None = None
) -> float:
    """Send requests over one stream, until all are acknowledged; return events a second."""

    async def paced() -> AsyncIterator[pb.StreamEventsRequest]:
        began = time.perf_counter()
        sent = 0
        for request in requests_:
            yield request
            sent += len(request.events)
            if events_a_second:
                await asyncio.sleep(max(0.0, began + sent / events_a_second - time.perf_counter()))

    recorded = 0
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = LiveMetricsServiceStub(channel)
        began = time.perf_counter()
        async for answer in stub.StreamEvents(paced(), metadata=METADATA):
            if answer.refused:
                raise SystemExit(f"refused: {answer.refused[0].status.message}")
            recorded = answer.recorded_events
        return recorded / (time.perf_counter() - began)


def load(target: str, run: str, seconds: float) -> None:
    """Send events at the pace of the load; for a process of its own."""
    number = int(LOAD_EVENTS_A_SECOND * seconds / 6)
    asyncio.run(send(target, list(batches(whole_calls(run, number), 100)), LOAD_EVENTS_A_SECOND))


class Bench:
    """Measures one product."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._session = requests.Session()
        self._session.headers["X-Admin-Token"] = TOKEN
        through_envoy = grpc.insecure_channel(product.edge_target)
        self._empty = partial(
            health_pb2_grpc.HealthStub(through_envoy).Check, health_pb2.HealthCheckRequest()
        )

    def recording(self, events: int) -> Iterator[Measured]:
        """Measure durable recording over one stream."""
        for size in (100, 1):
            calls = (events if size > 1 else events // 5) // 6
            made = list(batches(whole_calls(f"record{size}", calls), size))
            yield Measured(
                what=f"durable recording over one gRPC stream, {size} events a request",
                value=asyncio.run(send(self._product.target, made)),
                unit="events/s",
                limit=LOAD_EVENTS_A_SECOND,
                higher_is_better=True,
            )

    def start_calls(self, number: int) -> None:
        """Make calls active that stay so."""
        made = list(batches(started_calls("active", number), 500))
        asyncio.run(send(self._product.target, made))

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
        print(f"# {when}: {shown}", flush=True)
        return medians

    def under_load(self) -> Measured:
        """Measure the global endpoint while events come in at the pace of the load."""
        context = multiprocessing.get_context("spawn")
        loading = context.Process(target=load, args=(self._product.target, "load", 6.0))
        loading.start()
        time.sleep(2.5)
        medians = self.endpoints(f"while {LOAD_EVENTS_A_SECOND:,} events/s are recorded")
        loading.join()
        return Measured(
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

        async with grpc.aio.insecure_channel(self._product.edge_target) as channel:
            stub: Any = LiveMetricsServiceStub(channel)

            async def follow() -> None:
                request = pb.WatchLiveMetricsRequest(max_updates_per_second=2)
                async for told in stub.WatchLiveMetrics(request, metadata=METADATA):
                    if told.metrics.active_calls == before + events:
                        behind.append(time.perf_counter() - sent_at)
                        return

            following = [asyncio.create_task(follow()) for _ in range(number)]
            await asyncio.sleep(1)
            await send(self._product.target, made, 1_000)
            sent_at = time.perf_counter()
            async with asyncio.timeout(60):
                await asyncio.gather(*following)
        return iter(
            [
                Measured(
                    what=f"{number} watchers, 1,000 events/s: last to know the true state",
                    value=max(*behind, 0.0),
                    unit="s",
                    limit=5,
                ),
                Measured(
                    what=f"memory of all server processes after {number} watchers",
                    value=_memory_mb(self._product.pid),
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
                send(self._product.target, list(batches(whole_calls(f"past{part}", number), 500)))
            )
        print(f"# {events:,} events recorded in {time.perf_counter() - began:.0f} s", flush=True)

    def _get(self, path: str) -> Any:
        answer = self._session.get(self._product.rest_url + path, timeout=30)
        answer.raise_for_status()
        return answer.json() if path.endswith("live") else answer.content


def run(product: Product, *, events: int, active: int, watchers: int) -> Iterator[Measured]:
    """Measure everything, in the order of the report."""
    bench = Bench(product)
    yield from bench.recording(60_000)
    bench.start_calls(active)
    few = bench.endpoints(f"{active:,} active calls, few past events")
    yield Measured(
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
        yield Measured(
            what=f"{name} endpoint with {events:,} more past events, against before",
            value=(many[name] / many["empty RPC"]) / (few[name] / few["empty RPC"]),
            unit="times",
            limit=1.3,
        )


def _ms(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1_000


def _memory_mb(pid: int) -> float:
    pages = 0
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            waiting += [int(child) for child in task.read_text().split()]
        if "envoy" not in Path(f"/proc/{each}/comm").read_text():
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> int:
    """Start a product, measure it, print the report; 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=120_000, help="past events to compare with")
    parser.add_argument("--active", type=int, default=10_000, help="calls that are active")
    parser.add_argument("--watchers", type=int, default=500, help="watchers at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "vumeter_server.cli", "up", "--rest-port", "0"]
        command += ["--grpc-port", "0", "--db", f"{directory}/vumeter.db"]
        environment = {**os.environ, "VUMETER_ADMIN_TOKEN": TOKEN, "VUMETER_ACCESS_LOG": "0"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as up:
            found = dict(line.split()[:2] for line in _first_lines(up))
            product = Product(rest_url=found["REST"], target=found["gRPC"], pid=up.pid)
            try:
                kept = True
                for measured in run(
                    product,
                    events=options.events,
                    active=options.active,
                    watchers=options.watchers,
                ):
                    print(measured, flush=True)
                    kept &= measured.holds
            finally:
                up.terminate()
    return 0 if kept else 1


def _first_lines(process: subprocess.Popen[str]) -> list[str]:
    if process.stdout is None:
        raise ValueError("the product's output is not read")
    return [process.stdout.readline(), process.stdout.readline()]


if __name__ == "__main__":
    sys.exit(main())
