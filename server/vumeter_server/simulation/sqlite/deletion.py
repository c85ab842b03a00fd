"""Deleting executions and run tests: queries lose them at once, their calls go later in steps."""

from __future__ import annotations

import json
from collections.abc import Collection

from vumeter_server.simulation.model import CALL_STATUSES
from vumeter_server.simulation.sqlite import latencies, totals
from vumeter_server.simulation.sqlite.ingest import find_execution
from vumeter_server.simulation.store import SimulationContents
from vumeter_server.sqlite.library import sqlite3

# As `executions` and `run_tests`, the keys of what is counted or deleted. Text is ours alone.
_RUN_TESTS = (
    "SELECT run_test_key FROM simulation_run_tests WHERE organization_id = ?1"
    " AND (?2 IS NULL OR run_test_name IN (SELECT value FROM json_each(?2)))"
)
_EXECUTIONS = (
    f"SELECT execution_key FROM simulation_executions WHERE run_test_key IN ({_RUN_TESTS})"  # noqa: S608
)
_CALLS = " + ".join(f"sum({status}_calls)" for status in CALL_STATUSES)


def delete_execution(
    connection: sqlite3.Connection, organization_id: int, execution_id: str
) -> int | None:
    """Delete an execution; no query finds its calls, which are left to `delete_some_calls`.

    Returns how many calls it had, None if it is unknown.
    """
    key = find_execution(connection, organization_id, execution_id)
    if key is None:
        return None
    calls = totals.load(connection, key).all_calls
    latencies.delete(connection, key)
    connection.execute("DELETE FROM simulation_totals WHERE execution_key = ?", (key,))
    connection.execute("DELETE FROM simulation_executions WHERE execution_key = ?", (key,))
    connection.execute("INSERT INTO simulation_deletions (execution_key) VALUES (?)", (key,))
    return calls


def delete_run_tests(
    connection: sqlite3.Connection, organization_id: int, names: Collection[str] | None
) -> SimulationContents:
    """Delete run tests with their executions, in one transaction; calls as `delete_execution`."""
    found = count_contents(connection, organization_id, names)
    chosen = _chosen(organization_id, names)
    keys = [key for (key,) in connection.execute(_EXECUTIONS, chosen)]
    connection.executemany(
        "INSERT INTO simulation_deletions (execution_key) VALUES (?)", [(key,) for key in keys]
    )
    # What refers to a row goes before it.
    for table in ("simulation_latencies", "simulation_totals", "simulation_executions"):
        connection.execute(
            f"DELETE FROM {table} WHERE execution_key IN"  # noqa: S608 - our names
            " (SELECT value FROM json_each(?))",
            (json.dumps(keys),),
        )
    connection.execute(
        f"DELETE FROM simulation_run_tests WHERE run_test_key IN ({_RUN_TESTS})",  # noqa: S608
        chosen,
    )
    return found


def count_contents(
    connection: sqlite3.Connection, organization_id: int, names: Collection[str] | None
) -> SimulationContents:
    """Count what `delete_run_tests` deletes."""
    chosen = _chosen(organization_id, names)
    (run_tests,) = connection.execute(
        f"SELECT count(*) FROM ({_RUN_TESTS})",  # noqa: S608 - our names
        chosen,
    ).fetchone()
    executions, calls = connection.execute(
        f"SELECT count(*), coalesce({_CALLS}, 0) FROM simulation_totals"  # noqa: S608 - our names
        f" WHERE execution_key IN ({_EXECUTIONS})",
        chosen,
    ).fetchone()
    return SimulationContents(run_tests=run_tests, executions=executions, calls=calls)


def delete_some_calls(connection: sqlite3.Connection, most: int) -> bool:
    """Delete up to `most` calls of deleted executions; return whether there may be more."""
    found = connection.execute(
        "SELECT execution_key FROM simulation_deletions ORDER BY execution_key LIMIT 1"
    ).fetchone()
    if found is None:
        return False
    deleted = connection.execute(
        "DELETE FROM simulation_calls WHERE call_key IN"
        " (SELECT call_key FROM simulation_calls WHERE execution_key = ? LIMIT ?)",
        (found[0], most),
    )
    if deleted.rowcount < most:
        connection.execute("DELETE FROM simulation_deletions WHERE execution_key = ?", found)
    return True


def _chosen(organization_id: int, names: Collection[str] | None) -> tuple[int, str | None]:
    return organization_id, None if names is None else json.dumps(list(names))
