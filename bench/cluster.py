"""The product on a ClickHouse cluster of three nodes of this machine, beside itself on SQLite."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import orjson
import requests

from bench import functions, messages, streams
from bench.asks import Ask
from bench.cluster_queries import request_of
from bench.dataset import Dataset, generate
from bench.mix import MIX, Query
from bench.processor_share import limited_to
from bench.report import Measured, rate, share, times_as_long, value_line
from bench.run import Run, Section
from bench.stack import PYTHON, ROOT, Stack, keys_on, running, running_on
from vumeter_server.runtime.store_address import ClickHouseAddress, parse_store_address

ORGANIZATIONS = 50
BATCH = 10_000
ASKS = 10
RECORDERS = 4
POINTS_AT_LEAST = 100_000
TWO_SERVERS_AT_LEAST = 1.6
CORES_FOR_TWO = 8
SHARE_OF_A_CORE = 0.3
TURNS = 3
BATCHES_IN_TURN = 10


def sections() -> list[Section]:
    """Return the sections."""
    return [
        Section(
            name="cluster",
            title="A ClickHouse cluster",
            note=(
                f"Three nodes, the servers, Envoys and clients share the cores of one machine. The"
                f" points lie in {ORGANIZATIONS} organizations, of which each query asks another."
                " Both stores answer the same, or the run fails. Recording is by"
                f" StreamColumns, {RECORDERS} organizations at a time, in batches of {BATCH:,}"
                " points. Two servers are faster than one where cores are left: what one server,"
                f" the nodes and the clients take is all that two cores have. So {CORES_FOR_TWO}"
                " cores are needed for the bound; and both are measured again with"
                f" {SHARE_OF_A_CORE} of a core for each server, as if each had a machine of its"
                f" own, where control groups can be made. One and two take {TURNS} turns, of which"
                " the medians count."
            ),
            measure=measure,
            of_cluster=True,
        )
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """A product with the points in it, seen as each organization."""

    stacks: list[Stack]
    seconds: float


def measure(run: Run) -> Iterator[Measured]:
    """Load both, then ask both in turns, then record through one server and through two."""
    dataset = generate(run.points // ORGANIZATIONS, first_day=run.first_day)
    encoded = list(_batches(dataset))
    with contextlib.ExitStack() as opened:
        directory = opened.enter_context(run.scratch())
        store = opened.enter_context(_cluster(directory))
        run.facts.append(_version(store))
        on_sqlite_only = opened.enter_context(contextlib.ExitStack())
        run.say(f"loading SQLite with {run.points:,} points")
        sqlite = _load(
            on_sqlite_only.enter_context(running(directory / "vumeter.db")), encoded, None
        )
        run.say(f"loading the cluster with {run.points:,} points")
        one = opened.enter_context(running_on(store))
        cluster = _load(one, encoded, store)
        points = len(dataset) * ORGANIZATIONS
        yield rate("recording on SQLite", points / sqlite.seconds, "points/s")
        yield rate(
            "recording through one server", points / cluster.seconds, "points/s", POINTS_AT_LEAST
        )
        for query in (*MIX, *functions.QUERIES):
            run.say(f"{query.name} on both")
            on_cluster, on_sqlite = _medians_ms(query, dataset, cluster.stacks, sqlite.stacks)
            yield times_as_long(f"{query.name} {query.what}", on_cluster, on_sqlite, "ms", "SQLite")
        on_sqlite_only.close()
        other = opened.enter_context(running_on(store))
        yield from _measure_two(run, (one, other), encoded, store)


def _measure_two(
    run: Run, servers: tuple[Stack, Stack], encoded: Sequence[bytes], store: str
) -> Iterator[Measured]:
    rates = _rates_of_one_and_two(run, servers, encoded, store, "two")
    at_least = TWO_SERVERS_AT_LEAST if (os.cpu_count() or 1) >= CORES_FOR_TWO else None
    what = "recording through two servers"
    yield share(what, rates[1], rates[0], "points/s", "one", at_least)
    yield value_line("load while two recorded, processes", _load_average(), "")
    with contextlib.ExitStack() as limited:
        parts = [limited_to(SHARE_OF_A_CORE, server.pids()) for server in servers]
        if not all(map(limited.enter_context, parts)):
            run.say("no control groups can be made: servers with a part of a core are left out")
            return
        rates = _rates_of_one_and_two(run, servers, encoded, store, "small")
    what = f"the same, {SHARE_OF_A_CORE} of a core for each server"
    yield share(what, rates[1], rates[0], "points/s", "one", TWO_SERVERS_AT_LEAST)


def _rates_of_one_and_two(
    run: Run,
    servers: tuple[Stack, Stack],
    encoded: Sequence[bytes],
    store: str,
    name: str,
) -> Sequence[float]:
    """Return the median rates through the first and through both, measured in turns."""
    part = encoded[:BATCHES_IN_TURN]
    rates: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS):
        for number, used in enumerate((servers[:1], servers)):
            run.say(f"recording through {len(used)} of two servers")
            names = [f"{name}-{turn}-{number}-{each}" for each in range(2 * RECORDERS)]
            keys = keys_on(store, names)
            # Each server is given as many organizations in both runs.
            stacks = [used[place % len(used)].seen_by(key) for place, key in enumerate(keys)]
            seconds = _record_in_all(stacks, part, at_once=RECORDERS * len(used))
            rates[number].append(len(stacks) * len(part) * BATCH / seconds)
    return [statistics.median(each) for each in rates]


def _batches(dataset: Dataset) -> Iterator[bytes]:
    starts = [*range(0, len(dataset), BATCH), len(dataset)]
    for start, end in pairwise(starts):
        yield messages.of_columns(dataset, slice(start, end))


def _load(stack: Stack, encoded: Sequence[bytes], store: str | None) -> _Loaded:
    place = store or stack.db
    assert place is not None
    keys = keys_on(place, [f"bench-{each}" for each in range(ORGANIZATIONS)])
    stacks = [stack.seen_by(key) for key in keys]
    return _Loaded(stacks=stacks, seconds=_record_in_all(stacks, encoded, at_once=RECORDERS))


def _record_in_all(stacks: Sequence[Stack], encoded: Sequence[bytes], *, at_once: int) -> float:
    """Record the same points in every organization; return how long that took."""
    started = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        for recording in [
            threads.submit(streams.record, stack, "StreamColumns", encoded) for stack in stacks
        ]:
            recording.result()
    return time.perf_counter() - started


def _medians_ms(query: Query, dataset: Dataset, *both: Sequence[Stack]) -> tuple[float, float]:
    """Return the median time of a query's asks on each store; they have to answer the same."""
    taken: list[list[float]] = [[], []]
    with requests.Session() as session:
        for number, ask in enumerate(query.asks(dataset, ASKS)):
            answers = []
            for times, stacks in zip(taken, both, strict=True):
                stack = stacks[number % len(stacks)]
                _timed(session, stack, ask)
                seconds, answer = _timed(session, stack, ask)
                times.append(seconds * 1_000)
                answers.append(answer)
            if orjson.loads(answers[0]) != orjson.loads(answers[1]):
                shown = " and ".join(str(each[:500]) for each in answers)
                raise RuntimeError(f"the stores answer {ask} differently: {shown}")
    return statistics.median(taken[0]), statistics.median(taken[1])


def _timed(session: requests.Session, stack: Stack, ask: Ask) -> tuple[float, bytes]:
    request = session.prepare_request(request_of(stack, ask))
    started = time.perf_counter()
    answer = session.send(request, timeout=60)
    seconds = time.perf_counter() - started
    if not answer.ok:
        raise RuntimeError(f"{ask}: {answer.status_code} {answer.text}")
    return seconds, answer.content


def _load_average() -> float:
    return float(Path("/proc/loadavg").read_text().split()[0])


def _version(store: str) -> str:
    address = parse_store_address(store)
    assert isinstance(address, ClickHouseAddress)
    url = f"http://{address.hosts[0]}/"
    answer = requests.get(url, params={"query": "SELECT version()"}, timeout=60)
    answer.raise_for_status()
    return f"ClickHouse {answer.text.strip()}"


@contextlib.contextmanager
def _cluster(directory: Path) -> Iterator[str]:
    """Run a cluster; return VUMETER_STORE of a database that there is not yet."""
    nodes = directory / "nodes"
    nodes.mkdir()
    with subprocess.Popen(
        [PYTHON, "-m", "tests.clickhouse.serve", str(nodes)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        store = process.stdout.readline().strip()
        if not store:
            raise RuntimeError("the cluster did not start")
        try:
            yield store
        finally:
            process.stdin.close()
            process.wait(timeout=60)
