"""Odd sizes: what the product takes with them, and what a neighbour notices of them.

The neighbour asks while a size is recorded, and while the one who has it asks for it. Half of the
processors belong to the client that makes the size.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from bench.neighbour import PAUSE_SECONDS, SLOWER_AT_MOST, Neighbour, ask
from bench.report import Measured, value_line
from bench.run import Run, Section
from bench.sizes_keys import bearer_of
from bench.stack import ORGANIZATION, Stack, resident, running
from vumeter_server.access.sqlite.limits import SqliteLimitAdministration
from vumeter_server.sqlite import open_database

ASKED_AT_LEAST = 5
ASKED_SECONDS = 5.0
ORGANIZATIONS = 20_000
KEYS = 100_000
LIMITS = {"label_values": 10_000_000, "label_sets": 10_000_000}


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A size that one client makes, and what is asked of it afterwards, with times."""

    load: str
    count: int
    what: str
    asks: tuple[tuple[str, str, Any], ...]


def query(**more: Any) -> dict[str, Any]:
    """Return a body of `POST /v1/custom-metrics/query` over the last two days."""
    days = [time.strftime("%Y-%m-%d", time.gmtime(time.time() + at)) for at in (-86_400, 86_400)]
    counted = {"as": "n", "metric": "odd", "function": "sum"}
    return {"startDate": days[0], "endDate": days[1], "metrics": [counted], **more}


METRICS = "/v1/custom-metrics"
SIZES = (
    Size(
        load="values",
        count=1_000_000,
        what="values of one label",
        asks=(
            ("sum", f"{METRICS}/query", query()),
            ("first ten by the label", f"{METRICS}/query", query(groupBy=["odd"], limit=10)),
            (
                "one value",
                f"{METRICS}/query",
                query(filters=[{"label": "odd", "op": "=", "value": "value-000000077"}]),
            ),
            ("usage", f"{METRICS}/usage", None),
        ),
    ),
    Size(
        load="sessions",
        count=1_000_000,
        what="sessions a day",
        asks=(
            ("sum", f"{METRICS}/query", query()),
            (
                "distinct sessions",
                f"{METRICS}/query",
                query(metrics=[{"as": "n", "metric": "odd", "function": "sessions"}]),
            ),
            ("one session", f"{METRICS}/sessions/session-000000077", None),
        ),
    ),
    Size(
        load="one-point",
        count=100_000,
        what="batches of one point",
        asks=(("sum", f"{METRICS}/query", query()),),
    ),
    Size(
        load="tenants",
        count=50_000,
        what="tenants",
        asks=(
            ("counters of all", "/api/v1/metrics/live", None),
            ("counters of one", "/api/v1/metrics/live/odd-000077", None),
            ("a page of tenants", "/api/v1/metrics/tenants", None),
        ),
    ),
    Size(
        load="active-calls",
        count=200_000,
        what="active calls",
        asks=(
            ("counters of all", "/api/v1/metrics/live", None),
            ("counters of one", "/api/v1/metrics/live/tenant_7", None),
        ),
    ),
    Size(
        load="calls",
        count=300_000,
        what="calls in an execution",
        asks=(("metrics", "/sdk/api/v1/simulation/metrics?run_test_name=odd", None),),
    ),
)


def sections() -> list[Section]:
    """Return the sections, which `--sizes` chooses."""
    neighbour = (
        "The neighbour is an organization with 10,000 points, which asks `aggregate` one request at"
        f" a time, {PAUSE_SECONDS * 1_000:.0f} ms after each answer; its times are set against"
        " those before the size was made, while the product did nothing else."
    )
    return [
        Section(
            name="size-of-organizations",
            title="Odd sizes: organizations and keys",
            note=(
                "Organizations and keys are written into the database of a running server in one"
                " transaction; then one client records a point with a key of each organization, 16"
                " at a time. The names of metrics are asked for with one key after the other, by"
                f" one client. {neighbour}"
            ),
            measure=measure_organizations,
            of_sizes=True,
        ),
        Section(
            name="size-of-data",
            title="Odd sizes: what is recorded",
            note=(
                "One client makes the size at full speed in a process of its own. Then one client"
                f" asks for it, each question again and again for {ASKED_SECONDS:g} s. {neighbour}"
                f" Its median may be {SLOWER_AT_MOST:g} times that, beside each. Memory is what is"
                " resident after the recording, without pages of files."
            ),
            measure=measure_data,
            of_sizes=True,
        ),
    ]


def measure_organizations(run: Run) -> Iterator[Measured]:
    """Measure a product with many organizations and keys, and its neighbour."""
    organizations, keys = int(ORGANIZATIONS * run.scale), int(KEYS * run.scale)
    size = f"{organizations:,} organizations, {keys:,} keys"
    with run.scratch() as directory:
        path = directory / "vumeter.db"
        run.say(size)
        with running(path) as stack:
            neighbour = Neighbour.beside(stack, path)
            written = ["bench.sizes_keys", str(path), str(organizations), str(keys)]
            yield from _made(f"{size}: written", written, keys, neighbour)
            load = ["bench.sizes_loads", "organizations", str(organizations)]
            by_each = [*load, stack.grpc_target, stack.bearer]
            what = f"{organizations:,} organizations: a point of each"
            yield from _made(what, by_each, organizations, neighbour)
        with running(path) as stack:
            yield value_line(f"start with {size}", stack.ready_after_seconds, "s")
            neighbour.stack = stack.seen_by(neighbour.stack.bearer)
            asking = [stack.seen_by(bearer_of(n)) for n in range(0, keys, max(1, keys // 1_000))]
            what = "names, each with another key"
            yield from _asked(what, asking, f"{METRICS}/names", None, neighbour)
            memory = resident(stack.pids())
            yield value_line("memory of the server", memory.anonymous, "MB")


def measure_data(run: Run) -> Iterator[Measured]:
    """Measure a product of each size, and its neighbour."""
    for size in SIZES:
        count = int(size.count * run.scale)
        run.say(f"{count:,} {size.what}")
        with run.scratch() as directory, running(directory / "vumeter.db") as stack:
            neighbour = Neighbour.beside(stack, directory / "vumeter.db")
            SqliteLimitAdministration(open_database(directory / "vumeter.db")).change_limits(
                ORGANIZATION, LIMITS
            )
            before = resident(stack.pids()).anonymous
            load = ["bench.sizes_loads", size.load, str(count), stack.grpc_target, stack.bearer]
            yield from _made(f"{count:,} {size.what}: recorded", load, count, neighbour)
            after = resident(stack.pids()).anonymous
            yield value_line(f"{size.what}: memory beyond the start's", after - before, "MB")
            files = sum(file.stat().st_size for file in directory.glob("vumeter.db*"))
            yield value_line(f"{size.what}: all files", files / 1e6, "MB")
            for name, path, body in size.asks:
                yield from _asked(f"{size.what}: {name}", [stack], path, body, neighbour)


def _made(
    what: str, command: Sequence[str], count: int, neighbour: Neighbour
) -> Iterator[Measured]:
    """Let a process make a size; return its seconds, and the neighbour's times meanwhile.

    Raises RuntimeError if it made another number.
    """
    with neighbour.asking() as times:
        done = subprocess.run(
            [sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, check=True
        )
    made = json.loads(done.stdout)
    if made["recorded"] != count:
        raise RuntimeError(f"{what}: {made['recorded']} of {count}")
    yield value_line(f"{what} in", made["seconds"], "s")
    yield from neighbour.lines(what, times)


def _asked(
    what: str, stacks: Sequence[Stack], path: str, body: Any, neighbour: Neighbour
) -> Iterator[Measured]:
    """Ask with one key after the other; return the median, and the neighbour's times meanwhile."""
    taken: list[float] = []
    with requests.Session() as session, neighbour.asking() as times:
        until = time.perf_counter() + ASKED_SECONDS
        for stack in itertools.cycle(stacks):
            taken.append(ask(session, stack, path, body))
            if len(taken) >= ASKED_AT_LEAST and time.perf_counter() > until:
                break
    yield value_line(f"{what}, median of {len(taken):,}", statistics.median(taken) * 1_000, "ms")
    yield from neighbour.lines(f"{what}, asked", times)
