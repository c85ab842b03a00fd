"""Reading executions, calls and run tests, within one read transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vumeter_server.simulation.aggregation import (
    DOCUMENTED_PERCENTILES,
    ExecutionMetrics,
    percentiles_of,
)
from vumeter_server.simulation.model import NUMBER_NAMES, CallReport, ExecutionReport
from vumeter_server.simulation.sqlite import latencies, totals
from vumeter_server.simulation.sqlite.ids import id_to_bytes, id_to_text
from vumeter_server.simulation.sqlite.percentiles import (
    SAVED_COLUMNS,
    ComputedPercentiles,
    PercentileCache,
    Percentiles,
    from_columns,
)
from vumeter_server.simulation.store import CallsQuery, ExecutionPosition, ExecutionsPage, RunTest
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

# Percentiles of so few calls cost less to compute than to cache.
FEW_SLOTS = latencies.PAGE_SLOTS

_NO_START = -4611686018427387904
_START = f"ifnull(simulation_executions.started_at, {_NO_START})"

_REPORT_COLUMNS = (
    "execution_id",
    "run_test_name",
    "simulation_executions.status",
    "simulation_executions.started_at",
    "simulation_executions.completed_at",
    "simulation_executions.total_calls",
    "simulation_executions.completed_calls",
    "simulation_executions.failed_calls",
)
_STATE_COLUMNS = (
    "simulation_executions.execution_key",
    "next_slot",
    "latency_revision",
    "kept_revision",
    *SAVED_COLUMNS.values(),
)
_TOTALS_AT = len(_REPORT_COLUMNS)
_STATE_AT = _TOTALS_AT + totals.COLUMN_COUNT

_EXECUTIONS = (
    f"SELECT {', '.join(_REPORT_COLUMNS)}, {totals.COLUMNS}, {', '.join(_STATE_COLUMNS)}"  # noqa: S608 - our names
    " FROM simulation_executions JOIN simulation_totals USING (execution_key)"
    " JOIN simulation_run_tests USING (run_test_key)"
)
_ONE_EXECUTION = (
    f"{_EXECUTIONS} WHERE simulation_executions.organization_id = ? AND execution_id = ?"
)
_PAGE = (
    f"{_EXECUTIONS} WHERE simulation_executions.execution_key IN"  # noqa: S608 - our names
    " (SELECT execution_key FROM simulation_executions"
    f" WHERE run_test_key = ?1 AND {_START} <= ?2 AND ({_START}, execution_key) < (?2, ?3)"
    f" ORDER BY {_START} DESC, execution_key DESC LIMIT ?4 OFFSET ?5)"
    f" ORDER BY {_START} DESC, simulation_executions.execution_key DESC"
)
_CALL_COLUMNS = (
    "SELECT call_execution_id, execution_id, c.status, customer_latency_metrics,"  # noqa: S608
    f" customer_cost_breakdown, {', '.join(NUMBER_NAMES)} FROM simulation_calls AS c"
    " JOIN simulation_executions USING (execution_key)"
)
_CALL = f"{_CALL_COLUMNS} WHERE c.organization_id = ? AND call_execution_id = ?"
# Without a deleted execution its calls are not found. The order is that of an index.
_CALLS = (
    f"{_CALL_COLUMNS} JOIN simulation_run_tests USING (run_test_key)"
    " WHERE c.organization_id = ?1 AND call_execution_id > ?2"
    " AND (?3 IS NULL OR run_test_name = ?3) AND (?4 IS NULL OR execution_id = ?4)"
    " ORDER BY call_execution_id"
)
# So much that a message of a page is not larger than what clients take.
CALLS_A_PAGE = 1_000
OBJECTS_A_PAGE = 1 << 20
_RUN_TESTS = """
    SELECT run_test_name,
        (SELECT count(*) FROM simulation_executions AS e WHERE e.run_test_key = r.run_test_key),
        (SELECT started_at FROM simulation_executions AS e WHERE e.run_test_key = r.run_test_key
            ORDER BY ifnull(started_at, -4611686018427387904) DESC LIMIT 1)
    FROM simulation_run_tests AS r
    WHERE organization_id = ? AND run_test_name > ? ORDER BY run_test_name LIMIT ?
"""


class ExecutionReader:
    """Reads executions, and collects in `computed` which percentiles are worth caching.

    Unless `may_compute`, an execution of many calls whose percentiles are neither saved nor in
    `cache` sets `put_off`: what was read then lacks percentiles, and must be read again by a reader
    that may compute.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        wanted: Sequence[float],
        *,
        cache: PercentileCache,
        may_compute: bool,
    ) -> None:
        self._connection = connection
        self._wanted = tuple(wanted)
        self._is_documented = self._wanted == DOCUMENTED_PERCENTILES
        self._cache = cache
        self._may_compute = may_compute
        self.computed: list[ComputedPercentiles] = []
        self.put_off = False

    def execution(self, organization_id: int, execution_id: str) -> ExecutionMetrics | None:
        """Return an execution, None if it is unknown."""
        row = self._connection.execute(
            _ONE_EXECUTION, (organization_id, id_to_bytes(execution_id))
        ).fetchone()
        return None if row is None else self._execution(row)

    def executions(
        self,
        organization_id: int,
        run_test_name: str,
        *,
        limit: int,
        offset: int,
        after: ExecutionPosition | None,
    ) -> ExecutionsPage | None:
        """Return a page of a run test's executions, None if it is unknown."""
        run_test = self._connection.execute(
            "SELECT run_test_key FROM simulation_run_tests"
            " WHERE organization_id = ? AND run_test_name = ?",
            (organization_id, run_test_name),
        ).fetchone()
        if run_test is None:
            return None
        (count,) = self._connection.execute(
            "SELECT count(*) FROM simulation_executions WHERE run_test_key = ?", run_test
        ).fetchone()
        before = (2**62, 0)
        if after is not None:
            before = (_NO_START if after.started_at is None else after.started_at, after.sequence)
        rows = self._connection.execute(_PAGE, (*run_test, *before, limit + 1, offset)).fetchall()
        executions = [self._execution(row) for row in rows[:limit]]
        ends_at = None
        if len(rows) > limit:
            ends_at = ExecutionPosition(
                started_at=executions[-1].report.started_at, sequence=rows[limit - 1][_STATE_AT]
            )
        return ExecutionsPage(count=count, executions=executions, ends_at=ends_at)

    def _execution(self, row: Sequence[Any]) -> ExecutionMetrics:
        check_cancelled()
        return ExecutionMetrics(
            report=_report(row[:_TOTALS_AT]),
            totals=totals.from_row(row[_TOTALS_AT:_STATE_AT]),
            percentiles=self._percentiles(row[_STATE_AT:]),
        )

    def _percentiles(self, state: Sequence[Any]) -> Percentiles:
        execution_key, slots, latency_revision, saved_revision, *saved = state
        if saved_revision == latency_revision:
            found = from_columns(self._wanted, saved)
            if found is not None:
                return found
        if self._is_documented and (cached := self._cache.find(execution_key, latency_revision)):
            return cached.values
        if slots > FEW_SLOTS and not self._may_compute:
            self.put_off = True
        if self.put_off:
            return ()
        values = percentiles_of(latencies.load(self._connection, execution_key), self._wanted)
        if self._is_documented and slots > FEW_SLOTS:
            self.computed.append(
                ComputedPercentiles(
                    execution_key=execution_key, latency_revision=latency_revision, values=values
                )
            )
        return values


def executions_as_recorded(
    connection: sqlite3.Connection, organization_id: int, after: int, limit: int
) -> list[tuple[int, ExecutionReport]]:
    """Return executions by key, which is the order of their first recording."""
    rows = connection.execute(
        f"SELECT execution_key, {', '.join(_REPORT_COLUMNS)} FROM simulation_executions"  # noqa: S608
        " JOIN simulation_run_tests USING (run_test_key)"
        " WHERE simulation_executions.organization_id = ? AND execution_key > ?"
        " ORDER BY execution_key LIMIT ?",
        (organization_id, after, limit),
    )
    return [(key, _report(row)) for key, *row in rows]


def call(
    connection: sqlite3.Connection, organization_id: int, call_execution_id: str
) -> CallReport | None:
    """Return a call as recorded last, None if it is unknown."""
    row = connection.execute(_CALL, (organization_id, id_to_bytes(call_execution_id))).fetchone()
    return None if row is None else _call(row)


def calls(
    connection: sqlite3.Connection, organization_id: int, asked: CallsQuery
) -> list[CallReport]:
    """Return the next calls by id."""
    after = id_to_bytes(asked.after) if asked.after else b""
    execution_id = None if asked.execution_id is None else id_to_bytes(asked.execution_id)
    found: list[CallReport] = []
    size = 0
    for row in connection.execute(
        _CALLS, (organization_id, after, asked.run_test_name, execution_id)
    ):
        check_cancelled()
        report = _call(row)
        size += len(report.customer_latency_metrics or "")
        size += len(report.customer_cost_breakdown or "")
        if found and (len(found) == CALLS_A_PAGE or size > OBJECTS_A_PAGE):
            break
        found.append(report)
    return found


def count_calls(connection: sqlite3.Connection, organization_id: int) -> int:
    """Return how many calls there are, those that are about to be removed among them."""
    found: int = connection.execute(
        "SELECT count(*) FROM simulation_calls WHERE organization_id = ?", (organization_id,)
    ).fetchone()[0]
    return found


def _report(row: Sequence[Any]) -> ExecutionReport:
    execution_id, name, status, started_at, completed_at, total, completed, failed = row
    return ExecutionReport(
        execution_id=id_to_text(execution_id),
        run_test_name=name,
        status=status,
        started_at=started_at,
        completed_at=completed_at,
        total_calls=total,
        completed_calls=completed,
        failed_calls=failed,
    )


def _call(row: Sequence[Any]) -> CallReport:
    call_id, execution_id, status, customer_latency_metrics, customer_cost_breakdown, *numbers = row
    return CallReport(
        call_execution_id=id_to_text(call_id),
        execution_id=id_to_text(execution_id),
        status=status,
        numbers=tuple(numbers),
        customer_latency_metrics=customer_latency_metrics,
        customer_cost_breakdown=customer_cost_breakdown,
    )


def run_tests(
    connection: sqlite3.Connection, organization_id: int, after: str, limit: int
) -> Sequence[RunTest]:
    """Return run tests by name, those after `after`."""
    return [
        RunTest(run_test_name=name, execution_count=count, last_started_at=last_started_at)
        for name, count, last_started_at in connection.execute(
            _RUN_TESTS, (organization_id, after, limit)
        )
    ]
