"""The store of simulation metrics on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from vumeter_server.simulation.aggregation import Execution
from vumeter_server.simulation.model import CallReport, ExecutionReport
from vumeter_server.simulation.sqlite import ingest, query
from vumeter_server.simulation.store import ExecutionsPage, Position, RunTest
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3

T = TypeVar("T")

_log = structlog.get_logger(__name__)

# So many executions' percentiles are remembered; each is a few numbers.
MAX_REMEMBERED = 10_000
# Few enough for other writers not to wait long.
CALLS_DELETED_AT_ONCE = 1_000


class SqliteSimulationStore:
    """Keeps run tests, executions and calls in SQLite; see SimulationStore.

    Percentiles over many calls are computed once: they are remembered here, which is all that a
    process needs that does not write, and `tidy`, which runs beside the store in the process that
    writes, keeps them in the database. It also removes the calls of deleted executions.
    """

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer
        self._remembered: dict[int, query.Computed] = {}
        self._unkept: set[int] = set()
        self._untidy = asyncio.Event()

    async def record_run_test(self, organization_id: int, run_test_name: str) -> None:
        """Make a run test if there is none of that name."""
        await self._writer.run(
            lambda connection: ingest.record_run_test(connection, organization_id, run_test_name)
        )

    async def record_execution(self, organization_id: int, report: ExecutionReport) -> None:
        """Store an execution, and its run test if new."""
        await self._writer.run(
            lambda connection: ingest.record_execution(connection, organization_id, report)
        )

    async def record_calls(self, organization_id: int, reports: Sequence[CallReport]) -> None:
        """Store calls, all of them or none."""
        await self._writer.run(
            lambda connection: ingest.record_calls(connection, organization_id, reports)
        )

    async def delete_execution(self, organization_id: int, execution_id: str) -> int | None:
        """Delete an execution; its calls are out of sight at once, and removed by and by."""
        deleted = await self._writer.run(
            lambda connection: ingest.delete_execution(connection, organization_id, execution_id)
        )
        self._untidy.set()
        return deleted

    async def call(self, organization_id: int, call_execution_id: str) -> CallReport | None:
        """Return a call as recorded last."""
        return await self._readers.run(
            lambda connection: query.call(connection, organization_id, call_execution_id)
        )

    async def execution(
        self, organization_id: int, execution_id: str, percentiles: Sequence[float]
    ) -> Execution | None:
        """Return an execution; kept percentiles are used where nothing changed since."""
        return await self._read(
            percentiles, lambda reader: reader.execution(organization_id, execution_id)
        )

    async def executions(
        self,
        organization_id: int,
        run_test_name: str,
        *,
        percentiles: Sequence[float],
        limit: int,
        offset: int = 0,
        after: Position | None = None,
    ) -> ExecutionsPage | None:
        """Return a page of a run test's executions, newest first."""
        return await self._read(
            percentiles,
            lambda reader: reader.executions(
                organization_id, run_test_name, limit=limit, offset=offset, after=after
            ),
        )

    async def run_tests(self, organization_id: int, *, after: str, limit: int) -> Sequence[RunTest]:
        """Return run tests by name."""
        return await self._readers.run(
            lambda connection: query.run_tests(connection, organization_id, after, limit)
        )

    async def tidy(self) -> None:
        """Do what is left over by calls, and by an earlier server, until cancelled."""
        while True:
            await self._tolerated(self._keep_computed)
            await self._tolerated(self._finish_deletions)
            await self._untidy.wait()
            self._untidy.clear()

    async def _read(self, percentiles: Sequence[float], ask: Callable[[query.Reader], T]) -> T:
        def read(connection: sqlite3.Connection, *, may_compute: bool) -> T:
            reader = query.Reader(
                connection, percentiles, remembered=self._remembered, may_compute=may_compute
            )
            answer = ask(reader)
            computed.extend(reader.computed)
            return answer

        computed: list[query.Computed] = []
        try:
            return await self._readers.run(lambda connection: read(connection, may_compute=False))
        except query.NeedsLatencies:
            answer = await self._readers.run(
                lambda connection: read(connection, may_compute=True), heavy=True
            )
        self._remember(computed)
        return answer

    def _remember(self, computed: Sequence[query.Computed]) -> None:
        for each in computed:
            self._remembered.pop(each.execution_key, None)
            self._remembered[each.execution_key] = each
            self._unkept.add(each.execution_key)
        while len(self._remembered) > MAX_REMEMBERED:
            oldest = next(iter(self._remembered))
            del self._remembered[oldest]
            self._unkept.discard(oldest)
        if computed:
            self._untidy.set()

    async def _keep_computed(self) -> None:
        computed = [self._remembered[key] for key in self._unkept]
        if not computed:
            return

        def job(connection: sqlite3.Connection) -> None:
            for each in computed:
                query.keep(connection, each)

        self._unkept.clear()
        await self._writer.run(job)

    async def _finish_deletions(self) -> None:
        """Remove calls of deleted executions in steps, so that others write between."""
        while await self._writer.run(
            lambda connection: ingest.delete_some_calls(connection, CALLS_DELETED_AT_ONCE)
        ):
            pass

    async def _tolerated(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do work that nobody waits for; what fails now waits for the next occasion."""
        try:
            await work()
        except Exception:
            _log.exception("tidying_put_off")
