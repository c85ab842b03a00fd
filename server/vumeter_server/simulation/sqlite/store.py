"""The store of simulation metrics on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import NoReturn, TypeVar

from vumeter_server.runtime.periodic import run_periodically
from vumeter_server.simulation.aggregation import ExecutionMetrics
from vumeter_server.simulation.model import CallReport, ExecutionReport
from vumeter_server.simulation.sqlite import deletion, ingest, percentiles, query
from vumeter_server.simulation.store import (
    CallsQuery,
    ExecutionPosition,
    ExecutionsPage,
    RunTest,
    SimulationContents,
)
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3

T = TypeVar("T")

# Few enough that other writers do not wait long.
CALLS_DELETED_PER_TRANSACTION = 1_000
# Calls that leave something to do wake the work at once; this is for what no call leaves.
MAINTENANCE_EVERY_SECONDS = 60.0


class SqliteSimulationStore:
    """Keeps run tests, executions and calls in SQLite; see SimulationStore for what it promises.

    Percentiles of many calls are computed once. Each process caches those that it computed; the
    process that writes saves its own in the database too, by `run_maintenance`, which also removes
    the calls of deleted executions.
    """

    def __init__(
        self,
        readers: Readers,
        writer: Writer,
        on_recorded: Callable[[int], None] = lambda calls: None,
    ) -> None:
        """Take where calls are kept; `on_recorded` gets the number of calls once committed."""
        self._readers = readers
        self._writer = writer
        self._on_recorded = on_recorded
        self._percentiles = percentiles.PercentileCache()
        self._maintenance_due = asyncio.Event()

    async def record_run_test(self, organization_id: int, run_test_name: str) -> None:
        """Create a run test if there is none of that name."""
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
        self._on_recorded(len(reports))

    async def delete_execution(self, organization_id: int, execution_id: str) -> int | None:
        """Delete an execution; no query finds its calls any more, maintenance removes them."""
        deleted = await self._writer.run(
            lambda connection: deletion.delete_execution(connection, organization_id, execution_id)
        )
        self._maintenance_due.set()
        return deleted

    async def delete_run_tests(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Delete run tests as `delete_execution` deletes an execution."""
        deleted = await self._writer.run(
            lambda connection: deletion.delete_run_tests(connection, organization_id, names)
        )
        self._maintenance_due.set()
        return deleted

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything of an organization that is deleted."""
        await self.delete_run_tests(organization_id, None)
        await self.finish_deletions()

    async def contents(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Return what `delete_run_tests` would delete."""
        return await self._readers.run(
            lambda connection: deletion.count_contents(connection, organization_id, names),
            heavy=True,
        )

    async def call(self, organization_id: int, call_execution_id: str) -> CallReport | None:
        """Return a call as recorded last."""
        return await self._readers.run(
            lambda connection: query.call(connection, organization_id, call_execution_id)
        )

    async def calls(self, organization_id: int, asked: CallsQuery) -> Sequence[CallReport]:
        """Return the next calls by id."""
        return await self._readers.run(
            lambda connection: query.calls(connection, organization_id, asked), heavy=True
        )

    async def count_calls(self, organization_id: int) -> int:
        """Return about how many calls there are."""
        return await self._readers.run(
            lambda connection: query.count_calls(connection, organization_id), heavy=True
        )

    async def execution(
        self, organization_id: int, execution_id: str, percentiles: Sequence[float]
    ) -> ExecutionMetrics | None:
        """Return an execution; saved and cached percentiles count while nothing changed since."""
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
        after: ExecutionPosition | None = None,
    ) -> ExecutionsPage | None:
        """Return a page of a run test's executions, newest first."""
        return await self._read(
            percentiles,
            lambda reader: reader.executions(
                organization_id, run_test_name, limit=limit, offset=offset, after=after
            ),
        )

    async def executions_as_recorded(
        self, organization_id: int, *, after: int, limit: int
    ) -> Sequence[tuple[int, ExecutionReport]]:
        """Return executions in the order of their first recording."""
        return await self._readers.run(
            lambda connection: query.executions_as_recorded(
                connection, organization_id, after, limit
            )
        )

    async def run_tests(self, organization_id: int, *, after: str, limit: int) -> Sequence[RunTest]:
        """Return run tests by name."""
        return await self._readers.run(
            lambda connection: query.run_tests(connection, organization_id, after, limit)
        )

    async def finish_deletions(self) -> None:
        """Remove calls of deleted executions in steps, so that others write between."""
        while await self._writer.run(
            lambda connection: deletion.delete_some_calls(connection, CALLS_DELETED_PER_TRANSACTION)
        ):
            pass

    async def run_maintenance(self) -> NoReturn:
        """Do what is left over by calls, and by an earlier server, until cancelled."""
        await run_periodically(
            "simulation",
            self._maintain,
            every_seconds=MAINTENANCE_EVERY_SECONDS,
            wake=self._maintenance_due,
        )

    async def _maintain(self) -> None:
        try:
            await self._save_percentiles()
        finally:
            await self.finish_deletions()

    async def _read(
        self, percentiles: Sequence[float], ask: Callable[[query.ExecutionReader], T]
    ) -> T:
        def read(
            connection: sqlite3.Connection, *, may_compute: bool
        ) -> tuple[T, query.ExecutionReader]:
            reader = query.ExecutionReader(
                connection, percentiles, cache=self._percentiles, may_compute=may_compute
            )
            return ask(reader), reader

        answer, reader = await self._readers.run(
            lambda connection: read(connection, may_compute=False)
        )
        if reader.put_off:
            answer, reader = await self._readers.run(
                lambda connection: read(connection, may_compute=True), heavy=True
            )
        if reader.computed:
            self._percentiles.add(reader.computed)
            self._maintenance_due.set()
        return answer

    async def _save_percentiles(self) -> None:
        computed = self._percentiles.unsaved()
        if not computed:
            return

        def job(connection: sqlite3.Connection) -> None:
            for each in computed:
                percentiles.save(connection, each)

        await self._writer.run(job)
        # Only now: what could not be written is written next time.
        self._percentiles.note_saved(computed)
