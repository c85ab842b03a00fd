"""Writing executions and calls, and keeping what calls add up to in step, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vumeter_server.simulation.aggregation import CallTotals, percentile_source
from vumeter_server.simulation.model import NUMBER_NAMES, CallReport, ExecutionReport
from vumeter_server.simulation.sqlite import latencies, totals
from vumeter_server.simulation.sqlite.ids import id_to_bytes
from vumeter_server.simulation.store import (
    of_another_execution,
    of_another_run_test,
    unknown_executions,
)
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import check_not_deleted

_REPORTED = ("status", *NUMBER_NAMES, "customer_latency_metrics", "customer_cost_breakdown")
_FIND_CALL = (
    f"SELECT call_key, execution_key, slot, {', '.join(_REPORTED)}"  # noqa: S608 - our names
    " FROM simulation_calls WHERE organization_id = ? AND call_execution_id = ?"
)
_WRITE_CALL = (
    "INSERT OR REPLACE INTO simulation_calls"  # noqa: S608 - our names
    " (call_key, organization_id, call_execution_id, execution_key, slot,"
    f" {', '.join(_REPORTED)}) VALUES ({', '.join('?' * (5 + len(_REPORTED)))})"
)


def find_execution(
    connection: sqlite3.Connection, organization_id: int, execution_id: str
) -> int | None:
    """Return the key of an execution, None if the organization has none of that id."""
    found = connection.execute(
        "SELECT execution_key FROM simulation_executions"
        " WHERE organization_id = ? AND execution_id = ?",
        (organization_id, id_to_bytes(execution_id)),
    ).fetchone()
    return None if found is None else found[0]


def record_run_test(connection: sqlite3.Connection, organization_id: int, name: str) -> int:
    """Create a run test unless there is one of that name, and return its key."""
    check_not_deleted(connection, organization_id)
    connection.execute(
        "INSERT INTO simulation_run_tests (organization_id, run_test_name) VALUES (?, ?)"
        " ON CONFLICT DO NOTHING",
        (organization_id, name),
    )
    (key,) = connection.execute(
        "SELECT run_test_key FROM simulation_run_tests"
        " WHERE organization_id = ? AND run_test_name = ?",
        (organization_id, name),
    ).fetchone()
    return int(key)


def record_execution(
    connection: sqlite3.Connection, organization_id: int, report: ExecutionReport
) -> None:
    """Store an execution; one that is there keeps its key, and so its place in the order."""
    run_test_key = record_run_test(connection, organization_id, report.run_test_name)
    reported = (
        report.status,
        report.started_at,
        report.completed_at,
        report.total_calls,
        report.completed_calls,
        report.failed_calls,
    )
    key = find_execution(connection, organization_id, report.execution_id)
    if key is None:
        cursor = connection.execute(
            "INSERT INTO simulation_executions (organization_id, execution_id, run_test_key,"
            " status, started_at, completed_at, total_calls, completed_calls, failed_calls)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (organization_id, id_to_bytes(report.execution_id), run_test_key, *reported),
        )
        connection.execute(
            "INSERT INTO simulation_totals (execution_key) VALUES (?)", (cursor.lastrowid,)
        )
        return
    updated = connection.execute(
        "UPDATE simulation_executions SET status = ?, started_at = ?, completed_at = ?,"
        " total_calls = ?, completed_calls = ?, failed_calls = ?"
        " WHERE execution_key = ? AND run_test_key = ?",
        (*reported, key, run_test_key),
    )
    if updated.rowcount == 0:
        raise of_another_run_test()


@dataclass(slots=True)
class _Changes:
    """What a batch changes of one execution."""

    execution_key: int
    next_slot: int
    totals: CallTotals
    latency_by_slot: dict[int, float | None] = field(default_factory=dict)
    changed: bool = False


def record_calls(
    connection: sqlite3.Connection, organization_id: int, reports: Sequence[CallReport]
) -> None:
    """Store calls in the order given; a report that says nothing new changes nothing.

    Raises:
        NotFound: an execution is unknown; the violations name the calls.
        Conflict: a call belongs to another execution; the violation names it.
    """
    check_not_deleted(connection, organization_id)
    changes = _load_changes(connection, organization_id, reports)
    rows: dict[bytes, tuple[Any, ...]] = {}
    for index, report in enumerate(reports):
        call_id = id_to_bytes(report.call_execution_id)
        of = changes[report.execution_id]
        found: Sequence[Any] | None = rows.get(call_id)
        if found is None:
            found = connection.execute(_FIND_CALL, (organization_id, call_id)).fetchone()
        else:
            found = (found[0], *found[3:])
        if found is not None and found[1] != of.execution_key:
            _free_if_deleted(connection, index, found)
            found = None
        said = (
            report.status,
            *report.numbers,
            report.customer_latency_metrics,
            report.customer_cost_breakdown,
        )
        if found is not None and found[3:] == said:
            continue
        call_key, slot = _count(of, report, found)
        rows[call_id] = (call_key, organization_id, call_id, of.execution_key, slot, *said)
    connection.executemany(_WRITE_CALL, rows.values())
    for of in changes.values():
        _save_changes(connection, of)


def _load_changes(
    connection: sqlite3.Connection, organization_id: int, reports: Sequence[CallReport]
) -> dict[str, _Changes]:
    changes: dict[str, _Changes] = {}
    execution_ids = {report.execution_id for report in reports}
    for execution_id in execution_ids:
        key = find_execution(connection, organization_id, execution_id)
        if key is not None:
            (next_slot,) = connection.execute(
                "SELECT next_slot FROM simulation_totals WHERE execution_key = ?", (key,)
            ).fetchone()
            changes[execution_id] = _Changes(key, next_slot, totals.load(connection, key))
    if len(changes) < len(execution_ids):
        raise unknown_executions(
            index for index, report in enumerate(reports) if report.execution_id not in changes
        )
    return changes


def _free_if_deleted(connection: sqlite3.Connection, index: int, found: Sequence[Any]) -> None:
    """Drop a call whose execution is deleted, so that its id can be used again.

    Raises:
        Conflict: its execution is there.
    """
    deleted = connection.execute(
        "SELECT 1 FROM simulation_deletions WHERE execution_key = ?", (found[1],)
    ).fetchone()
    if deleted is None:
        raise of_another_execution(index)
    connection.execute("DELETE FROM simulation_calls WHERE call_key = ?", (found[0],))


def _count(of: _Changes, report: CallReport, found: Sequence[Any] | None) -> tuple[int | None, int]:
    """Add a report, and remove the one that it replaces; return the row's key and slot."""
    call_key, slot, latency_before = None, of.next_slot, None
    if found is None:
        of.next_slot += 1
    else:
        call_key, slot = found[0], found[2]
        status, *numbers = found[3:-2]
        of.totals.remove(status, numbers)
        latency_before = percentile_source(numbers)
    of.totals.add(report.status, report.numbers)
    latency = percentile_source(report.numbers)
    if latency != latency_before:
        of.latency_by_slot[slot] = latency
    of.changed = True
    return call_key, slot


def _save_changes(connection: sqlite3.Connection, of: _Changes) -> None:
    if not of.changed:
        return
    totals.save(connection, of.execution_key, of.totals)
    latencies.write(connection, of.execution_key, of.latency_by_slot)
    connection.execute(
        "UPDATE simulation_totals SET next_slot = ?, latency_revision = latency_revision + ?"
        " WHERE execution_key = ?",
        (of.next_slot, bool(of.latency_by_slot), of.execution_key),
    )
