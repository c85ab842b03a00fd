"""Reading executions, calls and run tests of an organization."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from vumeter_server.clickhouse import ClickHouse, Parameter
from vumeter_server.errors import Unavailable
from vumeter_server.simulation.aggregation import ExecutionMetrics
from vumeter_server.simulation.clickhouse.rows import (
    CALL,
    CALL_FIELDS,
    EXECUTION,
    EXECUTION_FIELDS,
    POSITION,
    RUN_TEST,
    TABLE,
)
from vumeter_server.simulation.clickhouse.totals import AGGREGATES, metrics_of_row, without_calls
from vumeter_server.simulation.model import CallReport, ExecutionReport

T = TypeVar("T")

_IDS_IN_A_QUERY: Final = 2_000
_MOST_READINGS: Final = 20
_CALL_COLUMNS: Final = f"call, execution, first, {', '.join(CALL_FIELDS)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredExecution:
    """An execution and the entry that recorded it first."""

    report: ExecutionReport
    first: int


class SimulationReader:
    """Reads what is stored for one organization."""

    def __init__(self, clickhouse: ClickHouse, organization_id: int) -> None:
        self._clickhouse = clickhouse
        self._organization_id = organization_id
        self.table = clickhouse.layout.reads(TABLE)

    async def rows(self, sql: str, **parameters: Parameter) -> list[dict[str, Any]]:
        """Return rows of a query; `{organization:Int64}` is the organization."""
        found = await self._clickhouse.query(
            sql,
            {"organization": self._organization_id, **parameters},
            # What is compared stands on the shard of the organization.
            settings={"distributed_product_mode": "local"},
        )
        return list(found.to_pylist())

    async def head(self) -> int:
        """Return the number of the last entry, 0 if there is none."""
        (row,) = await self.rows(
            f"SELECT max(seq) AS head FROM {self.table}"
            f" WHERE organization = {{organization:Int64}} AND kind = {POSITION}"
        )
        return int(row["head"])

    async def at_one_moment(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return what `read` finds in several queries, one of which may be about calls.

        It reads again if run tests or executions were recorded or deleted meanwhile. Calls may be
        recorded without end: one query sees them at one moment.
        """
        changed = await self._changed()
        for turn in range(_MOST_READINGS):
            found = await read()
            before, changed = changed, await self._changed()
            if changed == before:
                return found
            await asyncio.sleep(0.01 * turn)
        raise Unavailable

    async def _changed(self) -> int:
        """Return the last entry that recorded or deleted a run test or an execution."""
        (row,) = await self.rows(
            f"SELECT max(seq) AS changed FROM {self.table}"
            f" WHERE organization = {{organization:Int64}} AND kind IN ({RUN_TEST}, {EXECUTION})"
        )
        return int(row["changed"])

    async def has_run_test(self, name: str) -> bool:
        """Whether there is a run test."""
        return bool(
            await self.rows(
                f"SELECT 1 AS one {self._current(RUN_TEST)} AND key = {{name:String}}", name=name
            )
        )

    async def run_test_names(self, *, after: str = "", limit: int = 2**62) -> list[str]:
        """Return names of run tests that come after `after`, in order."""
        rows = await self.rows(
            f"SELECT key {self._current(RUN_TEST)} AND key > {{after:String}} ORDER BY key"
            f" LIMIT {limit}",
            after=after,
        )
        return [row["key"] for row in rows]

    async def executions(self, ids: Sequence[str]) -> dict[str, StoredExecution]:
        """Return those of some executions that there are, by id."""
        found: dict[str, StoredExecution] = {}
        for some in _in_parts(ids):
            rows = await self.rows(
                f"SELECT execution, first, name, {', '.join(EXECUTION_FIELDS)}"
                f" {self._current(EXECUTION)} AND execution IN {{ids:Array(String)}}",
                ids=some,
            )
            found |= {row["execution"]: stored_execution(row) for row in rows}
        return found

    async def execution_firsts(self) -> list[tuple[str, int, str]]:
        """Return id, first entry and run test of every execution."""
        rows = await self.rows(f"SELECT execution, first, name {self._current(EXECUTION)}")
        return [(row["execution"], row["first"], row["name"]) for row in rows]

    async def page(
        self, run_test_name: str, condition: str, *, limit: int, offset: int, **values: Parameter
    ) -> list[StoredExecution]:
        """Return executions of a run test, newest first."""
        rows = await self.rows(
            f"SELECT execution, first, name, {', '.join(EXECUTION_FIELDS)}"
            f" {self._current(EXECUTION)} AND name = {{name:String}} AND {condition}"
            f" ORDER BY started_at DESC NULLS LAST, first DESC LIMIT {limit} OFFSET {offset}",
            name=run_test_name,
            **values,
        )
        return [stored_execution(row) for row in rows]

    async def as_recorded(self, after: int, limit: int) -> list[StoredExecution]:
        """Return executions whose first entry comes after `after`, in order."""
        rows = await self.rows(
            f"SELECT execution, first, name, {', '.join(EXECUTION_FIELDS)}"
            f" {self._current(EXECUTION)} AND first > {{after:Int64}} ORDER BY first"
            f" LIMIT {limit}",
            after=after,
        )
        return [stored_execution(row) for row in rows]

    async def count_executions(self, run_test_name: str) -> int:
        """Return how many executions a run test has."""
        (row,) = await self.rows(
            f"SELECT count() AS executions {self._current(EXECUTION)} AND name = {{name:String}}",
            name=run_test_name,
        )
        return int(row["executions"])

    async def executions_by_run_test(self, first: str, last: str) -> dict[str, tuple[int, Any]]:
        """Return by name how many executions run tests have, and their greatest start."""
        rows = await self.rows(
            f"SELECT name, count() AS executions, max(started_at) AS started"
            f" {self._current(EXECUTION)} AND name >= {{first:String}}"
            " AND name <= {last:String} GROUP BY name",
            first=first,
            last=last,
        )
        return {row["name"]: (row["executions"], row["started"]) for row in rows}

    async def metrics(
        self, executions: Sequence[StoredExecution], percentiles: Sequence[float]
    ) -> list[ExecutionMetrics]:
        """Return executions with what their calls add up to."""
        rows: dict[str, dict[str, Any]] = {}
        for some in _in_parts(executions):
            found = await self.rows(
                f"SELECT execution, {AGGREGATES} {self._of_kind(CALL)}"
                " AND execution IN {ids:Array(String)} AND first ="
                " transform(execution, {ids:Array(String)}, {firsts:Array(Int64)}, toInt64(-1))"
                " GROUP BY execution",
                ids=[each.report.execution_id for each in some],
                firsts=[each.first for each in some],
            )
            rows |= {row["execution"]: row for row in found}
        return [
            metrics_of_row(each.report, row, percentiles)
            if (row := rows.get(each.report.execution_id))
            else without_calls(each.report)
            for each in executions
        ]

    async def count_calls(self) -> dict[tuple[str, int], int]:
        """Return how many calls there are by execution and its first entry."""
        rows = await self.rows(
            f"SELECT execution, first, count() AS calls {self._of_kind(CALL)}"
            " GROUP BY execution, first"
        )
        return {(row["execution"], row["first"]): row["calls"] for row in rows}

    async def owners(self, call_ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
        """Return by call the executions, with their first entries, that ever had it."""
        owners: dict[str, list[tuple[str, int]]] = {}
        for some in _in_parts(call_ids):
            rows = await self.rows(
                f"SELECT DISTINCT call, execution, first FROM {self.table}"
                f" WHERE organization = {{organization:Int64}} AND kind = {CALL}"
                " AND call IN {ids:Array(String)}",
                ids=some,
            )
            for row in rows:
                owners.setdefault(row["call"], []).append((row["execution"], row["first"]))
        return owners

    async def calls(
        self, condition: str, of_execution: str, *, limit: int, **values: Parameter
    ) -> list[CallReport]:
        """Return calls of executions, each under a condition, in order of their ids."""
        rows = await self.rows(
            f"SELECT {_CALL_COLUMNS} {self._of_kind(CALL)} AND {condition}"
            f" AND (execution, first) IN (SELECT execution, first {self._current(EXECUTION)}"
            f" AND {of_execution}) ORDER BY call LIMIT {limit}",
            **values,
        )
        return [_call(row) for row in rows]

    def _of_kind(self, kind: int) -> str:
        return (
            f"FROM {self.table} FINAL WHERE organization = {{organization:Int64}} AND kind = {kind}"
        )

    def _current(self, kind: int) -> str:
        return f"{self._of_kind(kind)} AND is_deleted = 0"


def stored_execution(row: Mapping[str, Any]) -> StoredExecution:
    """Return the execution of a row."""
    report = ExecutionReport(
        execution_id=row["execution"],
        run_test_name=row["name"],
        **{name: row[name] for name in EXECUTION_FIELDS},
    )
    return StoredExecution(report=report, first=row["first"])


def _call(row: Mapping[str, Any]) -> CallReport:
    return CallReport(
        call_execution_id=row["call"],
        execution_id=row["execution"],
        status=row["status"],
        numbers=tuple(row["numbers"]),
        customer_latency_metrics=row["customer_latency_metrics"],
        customer_cost_breakdown=row["customer_cost_breakdown"],
    )


def _in_parts(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield so many at a time as a parameter may hold."""
    for start in range(0, len(ids), _IDS_IN_A_QUERY):
        yield ids[start : start + _IDS_IN_A_QUERY]
