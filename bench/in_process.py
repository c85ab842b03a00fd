"""The query mix in process: the product's store against DuckDB and ClickHouse."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from bench.answers import check
from bench.dataset import Dataset
from bench.engines.clickhouse import ClickHouse
from bench.engines.duck import DuckDb
from bench.engines.engine import Engine
from bench.engines.vumeter import Vumeter
from bench.measured import Measured
from bench.mix import MIX
from bench.oracle import Oracle

# How many times as fast as the peer each query has to be.
AGAINST_DUCKDB = {"Q2": 8, "Q3": 8, "Q4": 4, "Q5": 8, "Q6": 1, "Q7": 8}
AT_LEAST = 2
CHECKED = 3


def load(engines: list[Engine], dataset: Dataset) -> None:
    """Load every engine, and check some answers of each before anything is timed."""
    oracle = Oracle(dataset)
    asks = [ask for query in MIX for ask in query.asks(dataset, CHECKED)]
    right = [oracle.answer(ask) for ask in asks]
    for engine in engines:
        engine.load(dataset)
        for ask, answer in zip(asks, right, strict=True):
            check(ask, engine.answer(ask), answer, engine.name)


def compare(dataset: Dataset, directory: Path, rounds: int) -> Iterator[Measured]:
    """Yield each query's median, and how many times as long the peers take.

    The database stays in `directory` as `vumeter.db`.
    """
    engines: list[Engine] = [Vumeter(directory), DuckDb(directory), ClickHouse(directory)]
    try:
        load(engines, dataset)
        for query in MIX:
            asks = query.asks(dataset, rounds)
            for engine in engines:
                engine.times(asks[:2])
            ours, duckdb, chdb = (
                statistics.median(engine.times(asks)) * 1_000 for engine in engines
            )
            yield Measured(what=f"{query.name} {query.what}", value=ours, unit="ms")
            yield Measured(
                what=f"{query.name}: DuckDB takes ({duckdb:.2f} ms)",
                value=duckdb / ours,
                unit="times as long",
                limit=AGAINST_DUCKDB.get(query.name, AT_LEAST),
                higher_is_better=True,
            )
            yield Measured(
                what=f"{query.name}: chdb takes ({chdb:.2f} ms)",
                value=chdb / ours,
                unit="times as long",
                limit=AT_LEAST,
                higher_is_better=True,
            )
    finally:
        for engine in engines:
            engine.close()


def medians(dataset: Dataset, directory: Path, rounds: int) -> dict[str, float]:
    """Return the product's median seconds by query, for how they grow."""
    engine = Vumeter(directory)
    try:
        load([engine], dataset)
        found = {}
        for query in MIX:
            asks = query.asks(dataset, rounds)
            engine.times(asks[:2])
            found[query.name] = statistics.median(engine.times(asks))
        return found
    finally:
        engine.close()
