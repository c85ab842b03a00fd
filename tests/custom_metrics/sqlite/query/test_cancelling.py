"""A query whose caller has gone stops before its end, and frees its thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.conformance.custom_metrics.asking import HOUR_US, START_US
from tests.conformance.custom_metrics.factories import NOON_US
from tests.custom_metrics.points import Point, checked

from vumeter_server.custom_metrics.aggregation import Function, Functions, Statistic
from vumeter_server.custom_metrics.questions import (
    FunctionOfMetric,
    GroupedQuery,
    Selection,
    SumQuery,
    TimeseriesQuery,
)
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.sqlite import Readers, open_database
from vumeter_server.sqlite.connections import connect_reader
from vumeter_server.sqlite.library import sqlite3

T = TypeVar("T")

P99 = Function(Statistic.PERCENTILE, 99)
SELECTION = Selection(
    start_us=START_US + 1, end_us=START_US + 20 * HOUR_US, filters=[("company_id", "company_1")]
)
TRIES = 20


class WatchedReaders(Readers):
    """Readers that say when a query begins, and keep how each one ended."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect)
        self.begun = asyncio.Event()
        self.ended: list[str] = []

    async def run(self, query: Callable[[sqlite3.Connection], T], *, heavy: bool = False) -> T:
        loop = asyncio.get_running_loop()

        def watched(connection: sqlite3.Connection) -> T:
            loop.call_soon_threadsafe(self.begun.set)
            try:
                answer = query(connection)
            except BaseException as error:
                self.ended.append(type(error).__name__)
                raise
            self.ended.append("answered")
            return answer

        return await super().run(watched, heavy=heavy)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[SqliteMetricStore, WatchedReaders]]:
    database = open_database(tmp_path / "vumeter.db")
    database.write(
        lambda each: each.execute(
            "INSERT INTO organizations (organization_id, name, created_us) VALUES (1, 'acme', 0)"
        )
    )
    writer, readers = database.writer(), WatchedReaders(lambda: connect_reader(database.path))
    yield SqliteMetricStore(writer, readers, lambda: NOON_US), readers
    readers.close()
    writer.close()


async def record(store: SqliteMetricStore) -> None:
    """Record enough for a query to take many steps, and flush it."""
    for first in range(0, 100_000, 10_000):
        batch = checked(
            *(
                Point(
                    name="ttft_ms",
                    type="histogram",
                    value=number % 977,
                    timestamp=START_US + number * 600_000,
                    session_id=f"session_{number % 5_000}",
                    tags={"company_id": f"company_{number % 3}", "topic": f"topic_{number % 500}"},
                )
                for number in range(first, first + 10_000)
            ),
            now_us=NOON_US,
        )
        await store.record(1, batch, idempotency=None, now_us=NOON_US)
    await store.maintenance.flush(everything=True)


Ask = Callable[[SqliteMetricStore], Coroutine[Any, Any, object]]
QUERIES: dict[str, Ask] = {
    "timeseries": lambda store: store.timeseries(
        1,
        TimeseriesQuery(
            selection=SELECTION,
            metric_name="ttft_ms",
            step_us=7_000_000,
            functions=Functions(counter=P99, gauge=P99, histogram=P99),
        ),
    ),
    "grouped": lambda store: store.at_one_moment(
        1,
        lambda ask: ask(
            GroupedQuery(
                bounds_us=(START_US + 1, START_US + 20 * HOUR_US),
                columns=[FunctionOfMetric(metric_name="ttft_ms", function=P99)],
                group_by=["session_id", "topic"],
            )
        ),
    ),
    "sums": lambda store: store.sums(
        1,
        SumQuery(selection=SELECTION, metric_names=None, group_by=["session_id"], bounds_us=None),
    ),
}


@pytest.mark.parametrize("query", QUERIES)
async def test_a_query_that_is_cancelled_ends_before_it_has_its_answer(
    opened: tuple[SqliteMetricStore, WatchedReaders], query: str
) -> None:
    store, readers = opened
    await record(store)
    for _ in range(TRIES):
        readers.begun.clear()
        asked = asyncio.ensure_future(QUERIES[query](store))
        await readers.begun.wait()
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        await QUERIES[query](store)
        if "Cancelled" in readers.ended or "OperationalError" in readers.ended:
            break
    else:
        raise AssertionError(f"of {TRIES} none ended: {readers.ended}")
