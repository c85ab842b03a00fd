"""The mix over REST: against an empty RPC through the same Envoy, and FastAPI on naive SQLite."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench import naive_api
from bench.answers import check, from_json
from bench.asks import Ask
from bench.dataset import Dataset
from bench.engines.sqlite import NaiveSqlite
from bench.engines.vumeter import Vumeter
from bench.load import Sent, Target, sender
from bench.mix import (
    ANYWHERE,
    Q1,
    Q1_OF_AGENT,
    Q2,
    Q3,
    Q4,
    Q5,
    Q6,
    Q7,
    Q7_OF_AGENT,
    Q7_OF_METRIC,
    Q8,
    Q9,
    Query,
)
from bench.product import EMPTY_PATH
from bench.report import Measured, share, times_as_long
from bench.run import Run, Section
from bench.stack import PATHS, Stack, get, running

PARAMETERS = 300
CHECKED_ASKS = 2
CLIENTS = 8
# The share of the empty RPC's requests a second with 8 clients.
AT_LEAST = {"Q1": 0.6, "Q2": 0.6, "Q4": 0.4, "Q5": 0.6, "Q7": 0.6, "Q8": 0.6}
# The share of the requests a second of the same query whose range ends where intervals do.
ANYWHERE_AT_LEAST = 1 / 1.5
# How many times the empty RPC's time with one client.
AT_MOST = {"Q3": 6, "Q6": 6, "Q9": 30}
# Without parameters a query would be the same at each request: it is asked with some, too.
VARIED = {"Q1": (Q1, Q1_OF_AGENT), "Q7": (Q7, Q7_OF_METRIC, Q7_OF_AGENT)}
AGAINST_FASTAPI = (Q1_OF_AGENT, Q2, Q4, Q5, Q6, Q8)
AGAINST_FASTAPI_IN_SHORT = (Q2, Q5, Q8)


def sections() -> list[Section]:
    """Return the sections."""
    return [
        Section(
            name="rest",
            title="Queries over REST against an empty RPC",
            note=(
                "Requests in closed loops, with parameters that differ from request to request, in"
                " turns with an RPC that does nothing, through the same pipeline (without a key)"
                " and the same Envoy. Rates are with 8 clients, times are medians of one client."
            ),
            measure=measure,
        ),
        Section(
            name="rest-anywhere",
            title="Queries over REST whose ranges end anywhere",
            note=(
                "8 clients; requests a second in turns with the same query whose range is of whole"
                " hours or days."
            ),
            measure=measure_anywhere,
        ),
        Section(
            name="fastapi",
            title="Queries over REST against FastAPI on naive SQLite",
            note=(
                f"8 clients; FastAPI runs in {naive_api.WORKERS} workers on SQLite with JSON tags"
                " and an index a query, without credentials or a proxy."
            ),
            measure=measure_fastapi,
        ),
    ]


def varied_asks(query: Query, dataset: Dataset) -> list[Ask]:
    """Return asks of a query, which differ."""
    queries = VARIED.get(query.name, (query,))
    columns = [each.asks(dataset, PARAMETERS // len(queries)) for each in queries]
    return [ask for row in zip(*columns, strict=True) for ask in row]


def target(stack: Stack, asks: Sequence[Ask]) -> Target:
    """Return asks as load."""
    return Target(
        base_url=stack.rest_url,
        headers=stack.headers,
        paths=[PATHS + ask.path() for ask in asks],
    )


def measure(run: Run) -> Iterator[Measured]:
    """Measure each query in turns with the empty RPC."""
    run.facts.append(sender())
    directory = run.loaded(Vumeter)
    with running(directory / "vumeter.db") as stack:
        for query in (Q1, Q2, Q4, Q5, Q7, Q8):
            asks = _checked(run, stack, query)
            run.say(f"{query.name} over REST")
            base, sent = _in_turns(run, stack, asks, clients=CLIENTS, rounds=6 if run.full else 2)
            yield share(
                f"{query.name} {query.what}, 8 clients",
                statistics.median(each.rate for each in sent),
                statistics.median(each.rate for each in base),
                "requests/s",
                "empty RPC",
                AT_LEAST[query.name],
            )
        for query in (Q3, Q6, Q9):
            asks = _checked(run, stack, query)
            run.say(f"{query.name} over REST")
            base, sent = _in_turns(run, stack, asks, clients=1, rounds=6 if run.full else 1)
            yield times_as_long(
                f"{query.name} {query.what}, 1 client",
                statistics.median(each.p50_ms for each in sent),
                statistics.median(each.p50_ms for each in base),
                "ms",
                "empty RPC",
                AT_MOST[query.name],
            )


def measure_anywhere(run: Run) -> Iterator[Measured]:
    """Measure queries with ends anywhere in turns with those with aligned ends."""
    directory = run.loaded(Vumeter)
    with running(directory / "vumeter.db") as stack:
        for aligned, anywhere in ANYWHERE:
            run.say(f"{anywhere.name} over REST")
            targets = [target(stack, _checked(run, stack, each)) for each in (aligned, anywhere)]
            rates: list[list[float]] = [[], []]
            for _ in range(7 if run.full else 3):
                for number, each in enumerate(targets):
                    sent = each.send(run.directory, clients=CLIENTS, seconds=1)
                    rates[number].append(sent.rate)
            # In the first round what is cached is read.
            base, value = (statistics.median(each[1:]) for each in rates)
            yield share(
                f"{anywhere.name} {anywhere.what}, 8 clients",
                value,
                base,
                "requests/s",
                aligned.name,
                ANYWHERE_AT_LEAST,
            )


def _checked(run: Run, stack: Stack, query: Query) -> list[Ask]:
    """Return the asks of a query after comparing some answers with the oracle's."""
    asks = varied_asks(query, run.dataset)
    for ask in asks[:CHECKED_ASKS]:
        check(ask, from_json(ask, stack.get(ask)), run.oracle.answer(ask), "vumeter over REST")
    return asks


def _in_turns(
    run: Run, stack: Stack, asks: Sequence[Ask], *, clients: int, rounds: int
) -> tuple[list[Sent], list[Sent]]:
    """Return what came of the empty RPC and of the asks, second by second in turns."""
    ours = target(stack, asks)
    empty = replace(ours, paths=[EMPTY_PATH])
    base: list[Sent] = []
    sent: list[Sent] = []
    for _ in range(rounds):
        base.append(empty.send(run.directory, clients=clients, seconds=1))
        offset = sum(each.requests for each in sent)
        sent.append(ours.send(run.directory, clients=clients, seconds=1, offset=offset))
    return base, sent


def measure_fastapi(run: Run) -> Iterator[Measured]:
    """Measure the small answers of both, in turns."""
    ours_at, theirs_at = run.loaded(Vumeter), run.loaded(NaiveSqlite)
    with running(ours_at / "vumeter.db") as stack, naive_api.running(theirs_at / "naive.db") as url:
        for query in AGAINST_FASTAPI if run.full else AGAINST_FASTAPI_IN_SHORT:
            asks = query.asks(run.dataset, PARAMETERS)
            for ask in asks[:CHECKED_ASKS]:
                body = get(url + ask.path(), {})
                check(ask, from_json(ask, body), run.oracle.answer(ask), "FastAPI")
            run.say(f"{query.name} against FastAPI")
            ours = target(stack, asks)
            theirs = Target(base_url=url, headers={}, paths=[ask.path() for ask in asks])
            of_ours, of_theirs = (
                each.send(run.directory, clients=CLIENTS, seconds=seconds).rate
                for each, seconds in ((ours, 1), (theirs, 10 if run.full else 1))
            )
            yield share(f"{query.name} {query.what}", of_ours, of_theirs, "requests/s", "FastAPI")
