"""The product's store, called in process: no gRPC, no Envoy, but with the hop to its threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from bench.answers import Answer, from_json
from bench.asks import Ask, Kind
from bench.dataset import METRIC_NAMES, METRICS, Dataset, generate
from bench.engines.engine import Engine
from bench.engines.vumeter_query import answer_of_query, query_request
from bench.oracle import labels_of
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.custom_metrics.model import Batch, LabelSet
from vumeter_server.custom_metrics.query import Queries, SumRequest, TimeseriesRequest
from vumeter_server.custom_metrics.rendering import (
    render_aggregate,
    render_daily,
    render_session,
    render_tags,
    render_timeseries,
)
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import open_database
from vumeter_server.times.ranges import TimeRange

ORGANIZATION = 1
POINTS_A_BATCH = 10_000
BATCHES_AT_ONCE = 16


def batches(dataset: Dataset, points: int = POINTS_A_BATCH) -> Iterator[Batch]:
    """Return the data set as batches of the product's core."""
    label_sets: list[LabelSet] = [
        tuple(sorted(labels_of(each).items())) for each in dataset.label_sets
    ]
    metric_types = np.array([metric.type for metric in METRICS], np.uint8)
    for start in range(0, len(dataset), points):
        part = slice(start, start + points)
        names, name_indexes = np.unique(dataset.metrics[part], return_inverse=True)
        used, label_set_indexes = np.unique(dataset.label_set_indexes[part], return_inverse=True)
        sessions, session_indexes = np.unique(dataset.sessions[part], return_inverse=True)
        yield Batch(
            names=[METRIC_NAMES[code] for code in names.tolist()],
            name_indexes=name_indexes.astype(np.int32),
            types=metric_types[dataset.metrics[part]],
            values=dataset.values[part],
            times_us=dataset.times_us[part],
            label_sets=[label_sets[index] for index in used.tolist()],
            label_set_indexes=label_set_indexes.astype(np.int32),
            sessions=[dataset.session_ids[number] for number in sessions.tolist()],
            session_indexes=session_indexes.astype(np.int32),
        )


def _one_point() -> Batch:
    """Return a batch of one point, of a metric that every data set has."""
    one = generate(1, first_day=0, places=1)
    return next(batches(replace(one, metrics=np.zeros(1, np.uint8))))


class Vumeter(Engine):
    """The product."""

    name = "vumeter"

    def __init__(self, directory: Path) -> None:
        self.path = directory / "vumeter.db"
        self._database = open_database(self.path)
        SqliteKeyAdministration(self._database).create_key("bench", Role.OWNER, None)
        self._writer = self._database.writer()
        self._readers = self._database.readers()
        self._store = SqliteMetricStore(self._writer, self._readers, system_clock)
        self._queries = Queries(store=self._store)
        self._runner = asyncio.Runner()

    def load(self, dataset: Dataset) -> None:
        """Record in batches, and flush everything."""
        self._runner.run(self._load(dataset))

    async def _load(self, dataset: Dataset) -> None:
        free = asyncio.Semaphore(BATCHES_AT_ONCE)

        async def record(batch: Batch) -> None:
            try:
                await self._store.record(
                    ORGANIZATION, batch, idempotency=None, now_us=system_clock()
                )
            finally:
                free.release()

        async with asyncio.TaskGroup() as group:
            for number, batch in enumerate(batches(dataset)):
                await free.acquire()
                group.create_task(record(batch))
                if number % 50 == 49:
                    await self._store.maintenance.flush()
        await self._store.maintenance.flush(everything=True)

    def ask(self, ask: Ask) -> Any:
        """Ask the core."""
        return self._runner.run(self._question(ask)())

    def times(self, asks: Sequence[Ask]) -> list[float]:
        """Ask one after the other, on one event loop as the server does."""
        questions = [self._question(ask) for ask in asks]

        async def time_each() -> list[float]:
            taken = []
            for question in questions:
                started = time.perf_counter()
                await question()
                taken.append(time.perf_counter() - started)
            return taken

        return self._runner.run(time_each())

    def times_after_a_point(self, asks: Sequence[Ask]) -> list[float]:
        """Ask as `times` does, each right after a point was recorded.

        The point is of now, and so in none of the ranges: answers stay what they are, but nothing
        that was kept for a state of the store is still of use.
        """
        point = _one_point()

        async def time_each() -> list[float]:
            taken = []
            for ask in asks:
                now_us = system_clock()
                batch = replace(point, times_us=np.array([now_us], np.int64))
                await self._store.record(ORGANIZATION, batch, idempotency=None, now_us=now_us)
                question = self._question(ask)
                started = time.perf_counter()
                await question()
                taken.append(time.perf_counter() - started)
            return taken

        return self._runner.run(time_each())

    def _question(self, ask: Ask) -> Callable[[], Coroutine[Any, Any, Any]]:
        """Return the call of the core that answers, with its request parsed already."""
        queries = self._queries
        filters = ask.filters + ((("agent_id", ask.agent_id),) if ask.agent_id else ())
        time_range = TimeRange(start_us=ask.start_us, end_us=ask.end_us)
        match ask.kind:
            case Kind.NAMES:
                return lambda: queries.names(ORGANIZATION, ask.agent_id)
            case Kind.TAGS:
                return lambda: queries.tags(ORGANIZATION, ask.metric_name, ask.agent_id)
            case Kind.SESSION:
                return lambda: queries.session(ORGANIZATION, ask.session_id)
            case Kind.TIMESERIES:
                timeseries = TimeseriesRequest(
                    time_range=time_range,
                    metric_name=ask.metric_name,
                    step_us=ask.step_us,
                    filters=filters,
                )
                return lambda: queries.timeseries(ORGANIZATION, timeseries)
            case Kind.AGGREGATE | Kind.DAILY:
                request = SumRequest(
                    time_range=time_range,
                    filters=filters,
                    metric_names=ask.metric_names,
                    group_by=ask.group_by,
                )
                if ask.kind is Kind.AGGREGATE:
                    return lambda: queries.aggregate(ORGANIZATION, request)
                zone = ZoneInfo(ask.zone)
                return lambda: queries.daily(ORGANIZATION, request, zone, fill_zero=False)
            case _:
                asked = query_request(ask)
                return lambda: queries.query_metrics(ORGANIZATION, asked)

    def answer_of(self, ask: Ask, raw: Any) -> Answer:
        """Read the answer as its JSON shows it."""
        match ask.kind:
            case Kind.NAMES:
                return raw
            case Kind.TAGS:
                return from_json(ask, render_tags(raw))
            case Kind.SESSION:
                return from_json(ask, render_session(raw))
            case Kind.TIMESERIES:
                return from_json(
                    ask, render_timeseries(ask.metric_name, ask.start_us, ask.step_us, raw)
                )
            case Kind.AGGREGATE:
                return from_json(ask, render_aggregate(raw))
            case Kind.DAILY:
                return from_json(ask, render_daily(raw))
            case _:
                return answer_of_query(ask, raw)

    def close(self) -> None:
        """End the threads."""
        self._writer.close()
        self._readers.close()
        self._runner.close()
