"""Durable recording, and queries beside it and beside heavy ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench import messages, streams
from bench.answers import check, from_json
from bench.asks import Ask, Kind
from bench.dataset import DAY_US, Dataset
from bench.distributions import BOUNDS, VALUES_A_POINT, of_distributions, of_latencies
from bench.engines.vumeter import Vumeter
from bench.load import Target
from bench.mix import Q1, Q5, Q9
from bench.oracle import Oracle
from bench.over_rest import target, varied_asks
from bench.report import Measured, rate, times_as_long, value_line
from bench.run import Run, Section
from bench.stack import PATHS, Stack, running

POINTS_AT_LEAST = 100_000
COLUMNS_AT_LEAST = 300_000
REST_AT_LEAST = 60_000
REST_CLIENTS = 8
P99_AT_MOST = 5
HEAVY_CLIENTS = 4
WINDOWS = 3


def sections() -> list[Section]:
    """Return the sections."""
    return [
        Section(
            name="recording",
            title="Durable recording",
            note=(
                f"Batches of {messages.BATCH:,} points, encoded before the clock starts, into a new"
                f" database each: over one gRPC stream with {streams.IN_FLIGHT} batches in flight,"
                f" each answered after its commit; over REST from {REST_CLIENTS} clients. All"
                " labels and sessions are new to the store at first. What was recorded is compared"
                " with the oracle."
            ),
            measure=measure,
        ),
        Section(
            name="beside",
            title="Queries beside recording and beside heavy queries",
            note=(
                f"99th percentiles of one client over REST, each the median of {WINDOWS} windows"
                " of time."
            ),
            measure=measure_beside,
        ),
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Record over each API."""
    batches = 300 if run.full else 120
    with run.scratch() as directory:
        yield value_line(
            "fdatasync of 4 KiB on the disk of the database", _fsync_ms(directory), "ms"
        )
    for method, encode, factor, at_least in (
        ("StreamPoints", messages.of_points, 1, POINTS_AT_LEAST),
        ("StreamColumns", messages.of_columns, 4, COLUMNS_AT_LEAST),
    ):
        run.say(f"encoding for {method}")
        parts = list(messages.parts(run.dataset, factor * batches))
        encoded = [encode(run.dataset, part) for part in parts]
        with run.scratch() as directory, running(directory / "vumeter.db") as stack:
            run.say(f"recording over {method}")
            recorded = streams.record(stack, method, encoded)
            _check_recorded(stack, messages.first_points(run.dataset, len(parts)))
        yield rate(f"gRPC, {method}", recorded.rate, "points/s", at_least)
    yield _measure_distributions(run, batches)
    yield _measure_rest(run, batches)


def _measure_distributions(run: Run, batches: int) -> Measured:
    run.say("encoding distributions")
    dataset, values = of_latencies(messages.first_points(run.dataset, batches))
    encoded = [of_distributions(dataset, values, part) for part in messages.parts(dataset, batches)]
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        run.say("recording distributions over StreamPoints")
        recorded = streams.record(stack, "StreamPoints", encoded)
        _check_recorded(stack, dataset)
    return rate(
        f"gRPC, StreamPoints, each point a distribution of {VALUES_A_POINT} values in"
        f" {len(BOUNDS) + 1} buckets",
        recorded.rate,
        "points/s",
    )


def _measure_rest(run: Run, batches: int) -> Measured:
    run.say("encoding for REST")
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        bodies = []
        for number, part in enumerate(messages.parts(run.dataset, batches)):
            bodies.append(directory / f"{number}.json")
            bodies[-1].write_bytes(messages.of_body(run.dataset, part))
        load = Target(
            base_url=stack.rest_url,
            headers=stack.headers | {"Content-Type": "application/json"},
            paths=[PATHS] * len(bodies),
            bodies=bodies,
        )
        run.say("recording over REST")
        sent = load.send(directory, clients=REST_CLIENTS, seconds=6 if run.full else 2)
    return rate("REST", sent.rate * messages.BATCH, "points/s", REST_AT_LEAST)


def _check_recorded(stack: Stack, recorded: Dataset) -> None:
    ask = Ask(
        kind=Kind.AGGREGATE,
        start_us=recorded.start_us,
        end_us=recorded.end_us,
        group_by=("company_id",),
    )
    check(ask, from_json(ask, stack.get(ask)), Oracle(recorded).answer(ask), "after recording")


def _fsync_ms(directory: Path) -> float:
    """Return the median time that a sync of a small write takes."""
    taken = []
    with (directory / "synced").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(os.urandom(4_096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1_000


def measure_beside(run: Run) -> Iterator[Measured]:
    """Measure quick queries at rest, beside heavy ones, and beside recording."""
    seconds = 4 if run.full else 1
    loaded = run.loaded(Vumeter) / "vumeter.db"
    with run.scratch() as directory:
        # A copy, since it is recorded into.
        shutil.copy(loaded, directory)
        with running(directory / "vumeter.db") as stack:
            names = target(stack, varied_asks(Q1, run.dataset))
            run.say("names at rest and beside heavy queries")
            at_rest_ms = _p99_ms(names, directory, seconds)
            for what, asks in (
                ("four clients asking Q9", Q9.asks(run.dataset, 50)),
                ("four clients asking for a day's sessions", _by_session(run.dataset)),
            ):
                heavy = target(stack, asks)
                with _meanwhile(
                    partial(
                        heavy.send,
                        directory,
                        clients=HEAVY_CLIENTS,
                        seconds=WINDOWS * seconds + 1,
                    )
                ):
                    beside_ms = _p99_ms(names, directory, seconds)
                yield times_as_long(
                    f"p99 of names, beside {what}",
                    beside_ms,
                    at_rest_ms,
                    "ms",
                    "at rest",
                    P99_AT_MOST,
                )
            yield from _beside_recording(run, stack, directory, seconds)


def _by_session(dataset: Dataset) -> list[Ask]:
    """Return asks for what no sum was made of: a group a session, of each of the days."""
    return [
        Ask(
            kind=Kind.AGGREGATE,
            start_us=dataset.start_us + day * DAY_US,
            end_us=dataset.start_us + (day + 1) * DAY_US,
            group_by=("session_id",),
        )
        for day in range(80)
    ]


def _p99_ms(quick: Target, directory: Path, seconds: int) -> float:
    return statistics.median(
        quick.send(directory, clients=1, seconds=seconds).p99_ms for _ in range(WINDOWS)
    )


@contextlib.contextmanager
def _meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do `work` in a thread for the length of the context, and raise what it raises."""
    with ThreadPoolExecutor(1) as executor:
        working = executor.submit(work)
        time.sleep(0.5)
        yield
        working.result()


def _beside_recording(run: Run, stack: Stack, directory: Path, seconds: int) -> Iterator[Measured]:
    run.say("Q5 at rest and beside recording")
    batches = (WINDOWS * seconds + 2) * POINTS_AT_LEAST // messages.BATCH // 2
    points = messages.first_points(run.dataset, batches)
    points = messages.as_of_now(points, int(time.time() * 1_000_000))
    encoded = [messages.of_points(points, part) for part in messages.parts(points, batches)]
    quick = target(stack, Q5.asks(run.dataset, 300))
    at_rest_ms = _p99_ms(quick, directory, seconds)
    recorded: list[streams.Recorded] = []
    with _meanwhile(
        lambda: recorded.append(
            streams.record(
                stack,
                "StreamPoints",
                encoded,
                batches_a_second=POINTS_AT_LEAST / messages.BATCH / 2,
            )
        )
    ):
        beside_ms = _p99_ms(quick, directory, seconds)
    yield times_as_long(
        f"p99 of Q5, beside recording {recorded[0].rate:,.0f} points/s",
        beside_ms,
        at_rest_ms,
        "ms",
        "at rest",
        P99_AT_MOST,
    )
