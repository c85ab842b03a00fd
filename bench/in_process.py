"""Q1 to Q9 in process: the product's store against column stores, in turns."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator, Sequence

from bench.answers import check
from bench.asks import Ask
from bench.engines.clickhouse import ClickHouse
from bench.engines.duck import DuckDb
from bench.engines.processes import EngineProcess
from bench.engines.sqlite import NaiveSqlite
from bench.engines.vumeter import Vumeter
from bench.functions import QUERIES
from bench.mix import ANYWHERE, MIX, VARIANTS, Query
from bench.oracle import Oracle
from bench.report import Measured, times_as_fast, times_as_long
from bench.run import Run, Section

ASKS = 200
FRESH_ASKS = 50
FUNCTION_ASKS = 50
CHECKED_ASKS = 3
ROUNDS = 3
SECONDS_A_ROUND = 0.1
AT_LEAST_DUCK = {"Q2": 8, "Q3": 8, "Q4": 4, "Q5": 8, "Q6": 1, "Q7": 8}
AT_LEAST = 2
# How many times the time of the same query whose range ends where rollup intervals do.
ANYWHERE_AT_MOST = 1.5

NOTE = (
    "Median ms over varied parameters. Ours is the store called in process on flushed data, with"
    " the hop to its reader threads where it makes one; the peers answer with rows in Python. Each"
    " engine has a process of its own, and they take turns."
)
ANYWHERE_NOTE = (
    "Median ms of queries whose ranges begin and end at any microsecond, in turns with those whose"
    " ranges are whole hours or days."
)
FRESH_NOTE = (
    "The same, each ask right after a point was recorded, so that nothing can be answered from what"
    " was kept for the state before; the peers' data stays as it is."
)


def sections() -> list[Section]:
    """Return the sections."""
    return [
        Section(name="in-process", title="Queries in process", note=NOTE, measure=measure),
        Section(
            name="functions",
            title="Functions by group and bucket in process",
            note=NOTE,
            measure=measure_functions,
        ),
        Section(
            name="anywhere",
            title="Queries in process whose ranges end anywhere",
            note=ANYWHERE_NOTE,
            measure=measure_anywhere,
        ),
        Section(
            name="fresh",
            title="Queries in process, each right after a new point",
            note=FRESH_NOTE,
            measure=measure_fresh,
        ),
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Check all engines' answers, and time them."""
    peers = (DuckDb, ClickHouse, NaiveSqlite) if run.full else (DuckDb, ClickHouse)
    with contextlib.ExitStack() as stack:
        engines = [stack.enter_context(run.engine(each)) for each in (Vumeter, *peers)]
        ours, *others = engines
        for query in (*MIX, *VARIANTS) if run.full else MIX:
            run.say(f"{query.name} in process")
            asks = query.asks(run.dataset, ASKS)
            check_answers(engines, asks[:CHECKED_ASKS], run.oracle)
            medians = medians_ms(engines, asks)
            for peer in others:
                yield times_as_fast(
                    f"{query.name} {query.what}",
                    medians[ours.name],
                    medians[peer.name],
                    peer.name,
                    _at_least(query, peer.name),
                )


def measure_functions(run: Run) -> Iterator[Measured]:
    """Check the answers of `query`, and time them."""
    with contextlib.ExitStack() as stack:
        engines = [stack.enter_context(run.engine(each)) for each in (Vumeter, DuckDb, ClickHouse)]
        ours, *others = engines
        for query in QUERIES:
            run.say(f"{query.name} in process")
            asks = query.asks(run.dataset, FUNCTION_ASKS)
            check_answers(engines, asks[:CHECKED_ASKS], run.oracle)
            medians = medians_ms(engines, asks)
            for peer in others:
                yield times_as_fast(
                    f"{query.name} {query.what}",
                    medians[ours.name],
                    medians[peer.name],
                    peer.name,
                    AT_LEAST,
                )


def _at_least(query: Query, peer: str) -> float | None:
    if query in VARIANTS or peer == NaiveSqlite.name:
        return None
    return AT_LEAST_DUCK.get(query.name, AT_LEAST) if peer == DuckDb.name else AT_LEAST


def measure_anywhere(run: Run) -> Iterator[Measured]:
    """Time queries with ends anywhere against those with aligned ends, in turns."""
    with run.engine(Vumeter) as ours:
        for aligned, anywhere in ANYWHERE:
            run.say(f"{anywhere.name} in process")
            asks = [query.asks(run.dataset, ASKS) for query in (aligned, anywhere)]
            check_answers([ours], asks[1][:CHECKED_ASKS], run.oracle)
            taken: list[list[float]] = [[], []]
            for _ in range(ROUNDS + 1):
                for number, each in enumerate(asks):
                    taken[number] += ours.times(each)
            # In the first round what is cached is read.
            base, value = (statistics.median(times[ASKS:]) * 1_000 for times in taken)
            yield times_as_long(
                f"{anywhere.name} {anywhere.what}",
                value,
                base,
                "ms",
                aligned.name,
                ANYWHERE_AT_MOST,
            )


def measure_fresh(run: Run) -> Iterator[Measured]:
    """Time ours with a point recorded before each ask, against DuckDB without."""
    with run.engine(Vumeter) as ours, run.engine(DuckDb) as peer:
        for query in MIX:
            run.say(f"{query.name} after a new point")
            asks = query.asks(run.dataset, ASKS)[:FRESH_ASKS]
            fresh = ours.times(asks, "times_after_a_point")
            theirs = peer.times(asks[:10])
            yield times_as_fast(
                f"{query.name} {query.what}",
                statistics.median(fresh) * 1_000,
                statistics.median(theirs) * 1_000,
                peer.name,
            )


def check_answers(engines: Sequence[EngineProcess], asks: Sequence[Ask], oracle: Oracle) -> None:
    """Raise WrongAnswer unless every engine answers as the oracle does."""
    right = [oracle.answer(ask) for ask in asks]
    for engine in engines:
        for ask, answer, expected in zip(asks, engine.answers(asks), right, strict=True):
            check(ask, answer, expected, engine.name)


def medians_ms(
    engines: Sequence[EngineProcess], asks: Sequence[Ask], rounds: int = ROUNDS
) -> dict[str, float]:
    """Time the engines in turns, so that a busy moment of the machine meets them all."""
    taken: dict[str, list[float]] = {engine.name: [] for engine in engines}
    counts = {}
    for engine in engines:
        first = statistics.median(engine.times(asks[:CHECKED_ASKS]))
        counts[engine.name] = max(1, min(len(asks), int(SECONDS_A_ROUND / first)))
    for number in range(rounds):
        for engine in engines:
            count = counts[engine.name]
            begin = number * count % len(asks)
            taken[engine.name] += engine.times((list(asks) * 2)[begin : begin + count])
    return {name: statistics.median(times) * 1_000 for name, times in taken.items()}
