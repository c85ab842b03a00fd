"""What the product takes: disk, start, memory; and how its answers grow with the points."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from bench import messages, streams
from bench.dataset import Dataset, generate
from bench.engines.processes import EngineProcess
from bench.engines.vumeter import Vumeter
from bench.functions import QUERIES
from bench.in_process import ASKS, CHECKED_ASKS, FUNCTION_ASKS, check_answers, medians_ms
from bench.mix import MIX
from bench.oracle import Oracle
from bench.over_rest import target, varied_asks
from bench.report import Measured, times_as_long, value_line
from bench.run import LONG_POINTS, Run, Section
from bench.stack import Memory, running, watched_memory

BYTES_A_POINT_AT_MOST = 60
READY_AT_MOST_SECONDS = 2
GROWTH_AT_MOST = dict.fromkeys(("Q1", "Q2", "Q3", "Q4", "Q5", "Q7", "Q8"), 1.3) | dict.fromkeys(
    ("Q6", "Q9", "Q10", "Q11", "Q12", "Q13"), 3.0
)
RECORDED_POINTS = 5_000_000
RECORDING_AT_MOST_MB = 300
MEMORY_AT_MOST_MB = 500
PLACES_OF_100K_LABEL_SETS = 11_112
PRODUCT = "vumeter_server.cli"


def sections() -> list[Section]:
    """Return the sections."""
    return [
        Section(
            name="disk",
            title="Disk and start",
            note="All files of the flushed database, after its server has ended.",
            measure=measure_disk,
        ),
        Section(
            name="growth",
            title="Ten times the points, same label sets",
            note=(
                "Median ms in process, the two stores in turns. The short mode sets the points of"
                f" the run against a tenth of them, the full one {LONG_POINTS:,} against those of"
                " the run."
            ),
            measure=measure_growth,
        ),
        Section(
            name="memory",
            title="Memory",
            note=(
                "Resident memory of supervisor and server when it was most; pages of the database"
                " file that are mapped count."
            ),
            measure=measure_memory,
            full_only=True,
        ),
    ]


def measure_disk(run: Run) -> Iterator[Measured]:
    """Measure the files, and the start on them."""
    starts = 3 if run.full else 1
    yield from _disk_and_start(run.loaded(Vumeter), len(run.dataset), starts)


def _disk_and_start(directory: Path, points: int, starts: int = 3) -> Iterator[Measured]:
    ready = []
    for _ in range(starts):
        with running(directory / "vumeter.db", module=PRODUCT) as stack:
            ready.append(stack.ready_after_seconds)
    size = sum(file.stat().st_size for file in directory.glob("vumeter.db*"))
    yield value_line(
        f"disk a point, {points:,} points", size / points, "bytes", BYTES_A_POINT_AT_MOST
    )
    yield value_line(
        f"start of `vumeter up` to ready, {points:,} points",
        statistics.median(ready),
        "s",
        READY_AT_MOST_SECONDS,
    )


def measure_growth(run: Run) -> Iterator[Measured]:
    """Set the same queries on ten times the points against the points."""
    points = LONG_POINTS if run.full else len(run.dataset) // 10
    run.say(f"generating {points:,} points")
    others = generate(points, first_day=run.first_day)
    small, large = (run.dataset, others) if run.full else (others, run.dataset)
    oracle = Oracle(others) if run.full else run.oracle
    with run.scratch() as directory:
        with run.engine(Vumeter) as of_run:
            of_others = EngineProcess(Vumeter, directory)
            run.say(f"loading {points:,} points")
            of_others.load(others)
            of_others.name = "others"
            engines = [of_run, of_others]
            small_engine, large_engine = engines if run.full else reversed(engines)
            for query in (*MIX, *QUERIES):
                run.say(f"{query.name} on both")
                asks = query.asks(small, ASKS if query in MIX else FUNCTION_ASKS)
                check_answers([large_engine], asks[:CHECKED_ASKS], oracle)
                medians = medians_ms(engines, asks)
                yield times_as_long(
                    f"{query.name} {query.what}, {len(large):,} points",
                    medians[large_engine.name],
                    medians[small_engine.name],
                    "ms",
                    f"{len(small):,} points",
                    GROWTH_AT_MOST[query.name],
                )
            of_others.close()
        if run.full:
            yield from _disk_and_start(directory, LONG_POINTS)


def measure_memory(run: Run) -> Iterator[Measured]:
    """Measure memory while recording, and while querying many points of many label sets."""
    yield _memory_recording(run)
    yield _memory_querying(run)


def _memory_recording(run: Run) -> Measured:
    run.say(f"generating {RECORDED_POINTS:,} points")
    dataset = generate(RECORDED_POINTS, first_day=run.first_day)
    with run.scratch() as directory, running(directory / "vumeter.db", module=PRODUCT) as stack:
        run.say(f"recording {RECORDED_POINTS:,} points")
        with watched_memory(stack) as most:
            parts = messages.parts(dataset, RECORDED_POINTS // messages.BATCH)
            streams.record(
                stack, "StreamColumns", (messages.of_columns(dataset, part) for part in parts)
            )
    return value_line(
        f"while recording {RECORDED_POINTS:,} points {_beside(most)}",
        most.of_servers,
        "MB",
        RECORDING_AT_MOST_MB,
    )


def _memory_querying(run: Run) -> Measured:
    run.say(f"generating {LONG_POINTS:,} points of 100,008 label sets")
    dataset = generate(LONG_POINTS, first_day=run.first_day, places=PLACES_OF_100K_LABEL_SETS)
    with run.scratch() as directory:
        _load(run, dataset, directory)
        with (
            running(directory / "vumeter.db", module=PRODUCT) as stack,
            watched_memory(stack) as most,
        ):
            for query in MIX:
                asks = varied_asks(query, dataset)
                target(stack, asks).send(directory, clients=4, seconds=4)
    return value_line(
        f"asked all queries, {LONG_POINTS:,} points, 100,008 label sets {_beside(most)}",
        most.of_servers,
        "MB",
        MEMORY_AT_MOST_MB,
    )


def _load(run: Run, dataset: Dataset, directory: Path) -> None:
    run.say(f"loading {len(dataset):,} points")
    engine = EngineProcess(Vumeter, directory)
    engine.load(dataset)
    engine.close()


def _beside(memory: Memory) -> str:
    return f"({memory.anonymous:.0f} MB of it anonymous; Envoy {memory.of_envoy:.0f} MB beside)"
