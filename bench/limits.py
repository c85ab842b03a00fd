"""What it costs recording to hold an organization to its limits."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import orjson

from bench import messages, sizes_loads, streams
from bench.engines.vumeter import batches
from bench.limits_in_process import LIMITS, MOST_VALUES, InProcess
from bench.report import Measured, share
from bench.run import Run, Section
from bench.stack import PATHS, Stack, get, running
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.limits import SqliteLimitAdministration
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.custom_metrics.limits import OTHER
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.sqlite import open_database

B = TypeVar("B")
LIMITED: Final = "limited"
AT_LEAST: Final = 0.97
BATCHES: Final = 30
TURNS: Final = 12
LABEL: Final = "odd"
WITH, WITHOUT = "with", "without"


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="limits",
            title="Recording within and beyond limits",
            note=(
                f"{TURNS} turns of {BATCHES} batches of {messages.BATCH:,} points each, 16 in"
                " flight, into a store or server that holds the organization to every limit, and"
                " into one that has no code for limits: no tokens are taken, and nothing is counted"
                " or looked up for them. Both record the same points, and take turns; the medians"
                " of their times are compared. In process batches are parsed and checked already,"
                " so that limits are a larger share than over gRPC. Beyond the limit each point has"
                f" a new value of a label that may have {MOST_VALUES}, so that it is recorded as"
                f" `{OTHER}`; without limits it is stored."
            ),
            measure=measure,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Record with and without limits, in turns, in process and over gRPC."""
    turns = min(TURNS * 3 if run.full else TURNS, run.points // (BATCHES * messages.BATCH) - 1)
    count = BATCHES * (turns + 1)
    checked = list(islice(batches(run.dataset, messages.BATCH), count))
    yield from _in_process(run, "in process, every limit set", checked, beyond=False)
    new_values = [_of_new_values(batch, number) for number, batch in enumerate(checked)]
    yield from _in_process(run, "in process, labels beyond the limit", new_values, beyond=True)
    run.say("encoding for limits")
    parts = messages.parts(run.dataset, count)
    points = [messages.of_points(run.dataset, part) for part in parts]
    what = "gRPC, StreamPoints, every limit set"
    yield from _over_grpc(run, what, "StreamPoints", points, beyond=False)
    now_us = int(run.dataset.times_us[-1])
    columns = [
        sizes_loads.columns(number * messages.BATCH, messages.BATCH, now_us, sessions=False)
        for number in range(count)
    ]
    what = "gRPC, StreamColumns, labels beyond the limit"
    yield from _over_grpc(run, what, "StreamColumns", columns, beyond=True)


def _of_new_values(batch: Batch, number: int) -> Batch:
    values = (f"value-{number}-{place}" for place in range(len(batch)))
    return replace(
        batch,
        label_sets=[((LABEL, value),) for value in values],
        label_set_indexes=np.arange(len(batch), dtype=np.int32),
    )


def _in_process(run: Run, what: str, made: Sequence[Batch], *, beyond: bool) -> Iterator[Measured]:
    run.say(f"{what}, in turns with no limits")
    with run.scratch() as directory, contextlib.ExitStack() as opened:
        stores = {
            name: opened.enter_context(InProcess.opened(directory / name, limited=name == WITH))
            for name in (WITH, WITHOUT)
        }
        yield _compared(what, {name: each.record for name, each in stores.items()}, made)
        if beyond:
            _check_values({name: each.values_of(LABEL) for name, each in stores.items()})


def _over_grpc(
    run: Run, what: str, method: str, encoded: Sequence[bytes], *, beyond: bool
) -> Iterator[Measured]:
    run.say(f"{what}, in turns with no limits")
    with run.scratch() as directory, contextlib.ExitStack() as opened:
        stacks: dict[str, Stack] = {}
        for name, variables in ((WITH, {}), (WITHOUT, {"BENCH_WITHOUT_LIMITS": "1"})):
            path = directory / f"{name}.db"
            stack = opened.enter_context(running(path, variables=variables))
            stacks[name] = stack.seen_by(_limited_key(path))

        def recording(stack: Stack) -> Callable[[Sequence[bytes]], float]:
            return lambda batches: streams.record(stack, method, batches).seconds

        records = {name: recording(stack) for name, stack in stacks.items()}
        yield _compared(what, records, encoded)
        if beyond:
            _check_values({name: _values_of(stack) for name, stack in stacks.items()})


def _limited_key(path: Path) -> str:
    database = open_database(path)
    key = SqliteKeyAdministration(database).create_key(LIMITED, Role.OWNER, None)
    SqliteLimitAdministration(database).change_limits(LIMITED, LIMITS)
    return key.bearer


def _values_of(stack: Stack) -> list[str]:
    answer = orjson.loads(get(f"{stack.rest_url}{PATHS}/tags", stack.headers))
    found: list[str] = answer["data"][LABEL]
    return found


def _compared(
    what: str, records: Mapping[str, Callable[[Sequence[B]], float]], made: Sequence[B]
) -> Measured:
    """Record everything with and without limits, in turns; compare the medians."""
    seconds: dict[str, list[float]] = {name: [] for name in records}
    for turn, start in enumerate(range(0, len(made), BATCHES)):
        # Who is first changes from turn to turn; the first turn is not counted.
        for name in sorted(records, reverse=turn % 2 == 1):
            taken = records[name](made[start : start + BATCHES])
            if turn:
                seconds[name].append(taken)
    rates = {
        name: BATCHES * messages.BATCH / statistics.median(each) for name, each in seconds.items()
    }
    return share(what, rates[WITH], rates[WITHOUT], "points/s", "without limits", AT_LEAST)


def _check_values(found: Mapping[str, list[str]]) -> None:
    """Raise RuntimeError unless the values were limited in the one, and in the other were not."""
    if OTHER not in found[WITH] or len(found[WITH]) != MOST_VALUES + 1:
        raise RuntimeError(f"{len(found[WITH])} values within the limit of {MOST_VALUES}")
    if OTHER in found[WITHOUT] or len(found[WITHOUT]) <= MOST_VALUES + 1:
        raise RuntimeError(f"{len(found[WITHOUT])} values without a limit")
