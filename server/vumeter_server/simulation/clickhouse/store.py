"""The store of simulation metrics on ClickHouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final
from weakref import WeakValueDictionary

from vumeter_server.clickhouse import ClickHouse, Parameter
from vumeter_server.clickhouse.entry_log import EntryLog
from vumeter_server.simulation.aggregation import ExecutionMetrics
from vumeter_server.simulation.clickhouse.checking import behind, contents_of, owners_of
from vumeter_server.simulation.clickhouse.reading import SimulationReader
from vumeter_server.simulation.clickhouse.rows import POSITION, TABLE, SimulationEntry
from vumeter_server.simulation.model import CallReport, ExecutionReport
from vumeter_server.simulation.store import (
    CallsQuery,
    ExecutionPosition,
    ExecutionsPage,
    RunTest,
    SimulationContents,
    of_another_execution,
    of_another_run_test,
    unknown_executions,
)

CALLS_A_PAGE: Final = 1_000
OBJECTS_A_PAGE: Final = 1 << 20
_NOTHING: Final = SimulationContents(run_tests=0, executions=0, calls=0)


class ClickHouseSimulationStore:
    """Implements SimulationStore: an organization's entries are a log (`entry_log`).

    What is recorded is checked against what is there, and appended behind the last entry of that
    time. If another recording came between, it is checked again.
    """

    def __init__(
        self, clickhouse: ClickHouse, on_recorded: Callable[[int], None] = lambda calls: None
    ) -> None:
        """`on_recorded` gets how many calls were recorded."""
        self._clickhouse = clickhouse
        self._on_recorded = on_recorded
        # Those of one server do not race each other.
        self._appending: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._log = EntryLog(clickhouse, TABLE, {"organization": "Int64", "kind": "Int64"})

    async def record_run_test(self, organization_id: int, run_test_name: str) -> None:
        """Create a run test without executions."""

        async def fill(reader: SimulationReader, entry: SimulationEntry) -> bool:
            if await reader.has_run_test(run_test_name):
                return False
            entry.add_run_test(run_test_name)
            return True

        await self._append(organization_id, fill)

    async def record_execution(self, organization_id: int, report: ExecutionReport) -> None:
        """Store an execution, and its run test."""

        async def fill(reader: SimulationReader, entry: SimulationEntry) -> bool:
            found = (await reader.executions([report.execution_id])).get(report.execution_id)
            if found is not None and found.report.run_test_name != report.run_test_name:
                raise of_another_run_test()
            if not await reader.has_run_test(report.run_test_name):
                entry.add_run_test(report.run_test_name)
            entry.add_execution(report, None if found is None else found.first)
            return True

        await self._append(organization_id, fill)

    async def record_calls(self, organization_id: int, reports: Sequence[CallReport]) -> None:
        """Store calls, all of them or none."""
        if not reports:
            return

        async def fill(reader: SimulationReader, entry: SimulationEntry) -> bool:
            known = await reader.executions(sorted({report.execution_id for report in reports}))
            if unknown := [
                index for index, report in enumerate(reports) if report.execution_id not in known
            ]:
                raise unknown_executions(unknown)
            owners = await owners_of(reader, [report.call_execution_id for report in reports])
            for index, report in enumerate(reports):
                owner = owners.setdefault(report.call_execution_id, report.execution_id)
                if owner != report.execution_id:
                    raise of_another_execution(index)
            entry.add_calls(reports, {each: stored.first for each, stored in known.items()})
            return True

        await self._append(organization_id, fill)
        self._on_recorded(len(reports))

    async def delete_execution(self, organization_id: int, execution_id: str) -> int | None:
        """Delete an execution with its calls."""
        deleted: int | None = None

        async def fill(reader: SimulationReader, entry: SimulationEntry) -> bool:
            nonlocal deleted
            deleted = None
            found = (await reader.executions([execution_id])).get(execution_id)
            if found is None:
                return False
            (metrics,) = await reader.metrics([found], ())
            deleted = metrics.totals.all_calls
            entry.delete_execution(execution_id)
            return True

        await self._append(organization_id, fill)
        return deleted

    async def delete_run_tests(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Delete run tests with their executions and calls, all at one moment."""
        deleted = _NOTHING

        async def fill(reader: SimulationReader, entry: SimulationEntry) -> bool:
            nonlocal deleted
            run_tests, executions, deleted = await contents_of(reader, names)
            for name in run_tests:
                entry.delete_run_test(name)
            for execution_id in executions:
                entry.delete_execution(execution_id)
            return deleted != _NOTHING

        await self._append(organization_id, fill)
        return deleted

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything that was recorded for an organization."""
        await self.delete_run_tests(organization_id, None)
        head = await SimulationReader(self._clickhouse, organization_id).head()
        if head:
            # The log goes on where it was: a number that was taken is never taken again.
            statement = (
                f"ALTER TABLE {self._clickhouse.layout.local(TABLE)}"
                f"{self._clickhouse.layout.everywhere} DELETE WHERE organization ="
                f" {organization_id:d} AND seq <= {head:d}"
                f" AND (kind != {POSITION} OR seq < {head:d})"
            )
            await asyncio.gather(*(node.command(statement) for node in self._clickhouse.nodes))

    async def contents(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Return what `delete_run_tests` would delete."""
        reader = SimulationReader(self._clickhouse, organization_id)
        return (await reader.at_one_moment(lambda: contents_of(reader, names)))[2]

    async def call(self, organization_id: int, call_execution_id: str) -> CallReport | None:
        """Return a call as recorded last."""
        found = await self._calls(
            organization_id, "call = {call:String}", "1", limit=1, call=call_execution_id
        )
        return found[0] if found else None

    async def calls(self, organization_id: int, asked: CallsQuery) -> Sequence[CallReport]:
        """Return the next calls by id."""
        values: dict[str, Parameter] = {"after": asked.after}
        condition, of_execution = "call > {after:String}", "1"
        if asked.execution_id is not None:
            condition += " AND execution = {execution:String}"
            values["execution"] = asked.execution_id
        if asked.run_test_name is not None:
            of_execution = "name = {name:String}"
            values["name"] = asked.run_test_name
        found = await self._calls(
            organization_id, condition, of_execution, limit=CALLS_A_PAGE, **values
        )
        size = 0
        for place, report in enumerate(found):
            size += len(report.customer_latency_metrics or "")
            size += len(report.customer_cost_breakdown or "")
            if place and size > OBJECTS_A_PAGE:
                return found[:place]
        return found

    async def count_calls(self, organization_id: int) -> int:
        """Return how many calls there are."""
        return (await self.contents(organization_id, None)).calls

    async def execution(
        self, organization_id: int, execution_id: str, percentiles: Sequence[float]
    ) -> ExecutionMetrics | None:
        """Return an execution, None if it is unknown."""
        reader = SimulationReader(self._clickhouse, organization_id)

        async def read() -> ExecutionMetrics | None:
            found = await reader.executions([execution_id])
            metrics = await reader.metrics(list(found.values()), percentiles)
            return metrics[0] if metrics else None

        return await reader.at_one_moment(read)

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
        """Return a page of a run test's executions, None if it is unknown."""
        reader = SimulationReader(self._clickhouse, organization_id)
        condition, values = behind(after)

        async def read() -> ExecutionsPage | None:
            if not await reader.has_run_test(run_test_name):
                return None
            found = await reader.page(
                run_test_name, condition, limit=limit + 1, offset=offset, **values
            )
            page, ends_at = found[:limit], None
            if len(found) > limit:
                last = page[-1]
                ends_at = ExecutionPosition(started_at=last.report.started_at, sequence=last.first)
            return ExecutionsPage(
                count=await reader.count_executions(run_test_name),
                executions=await reader.metrics(page, percentiles),
                ends_at=ends_at,
            )

        return await reader.at_one_moment(read)

    async def executions_as_recorded(
        self, organization_id: int, *, after: int, limit: int
    ) -> Sequence[tuple[int, ExecutionReport]]:
        """Return executions in the order of their first recording."""
        found = await SimulationReader(self._clickhouse, organization_id).as_recorded(after, limit)
        return [(each.first, each.report) for each in found]

    async def run_tests(self, organization_id: int, *, after: str, limit: int) -> Sequence[RunTest]:
        """Return run tests by name."""
        reader = SimulationReader(self._clickhouse, organization_id)

        async def read() -> list[RunTest]:
            names = await reader.run_test_names(after=after, limit=limit)
            of = await reader.executions_by_run_test(names[0], names[-1]) if names else {}
            found = []
            for name in names:
                count, last_started_at = of.get(name, (0, None))
                found.append(
                    RunTest(
                        run_test_name=name, execution_count=count, last_started_at=last_started_at
                    )
                )
            return found

        return await reader.at_one_moment(read)

    async def run_maintenance(self) -> None:
        """Wait: ClickHouse merges what was replaced by itself."""
        await asyncio.Event().wait()

    async def _calls(
        self,
        organization_id: int,
        condition: str,
        of_execution: str,
        *,
        limit: int,
        **values: Parameter,
    ) -> list[CallReport]:
        reader = SimulationReader(self._clickhouse, organization_id)
        return await reader.at_one_moment(
            lambda: reader.calls(condition, of_execution, limit=limit, **values)
        )

    async def _append(
        self,
        organization_id: int,
        fill: Callable[[SimulationReader, SimulationEntry], Awaitable[bool]],
    ) -> None:
        """Append an entry; `fill` checks and fills it, and returns whether there is anything."""
        reader = SimulationReader(self._clickhouse, organization_id)
        key: dict[str, Parameter] = {"organization": organization_id, "kind": POSITION}
        async with self._appending.setdefault(organization_id, asyncio.Lock()):
            while True:
                read_at = asyncio.get_running_loop().time()
                # First of all: what is read after it is at least as new.
                seq = await reader.head() + 1
                entry = SimulationEntry(organization_id=organization_id, seq=seq)
                if not await fill(reader, entry):
                    return
                if await self._log.append(key, seq, entry.block(), read_at=read_at):
                    return
