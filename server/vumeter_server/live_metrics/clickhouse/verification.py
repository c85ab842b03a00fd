"""What of live metrics in ClickHouse does not agree."""

from __future__ import annotations

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.clickhouse.history import STARTS_OR_ENDS, row_counts
from vumeter_server.live_metrics.clickhouse.lookups import LiveTable
from vumeter_server.live_metrics.clickhouse.rows import LOG, LiveRowKind
from vumeter_server.live_metrics.clickhouse.state import LiveState


async def find_problems(clickhouse: ClickHouse) -> list[str]:
    """Return numbers of the log that are missing or double, and what contradicts the calls.

    Nobody may write meanwhile.
    """
    table = LiveTable(clickhouse)
    rows, seq = await table.load()
    state = LiveState()
    state.apply(rows, seq)
    return [*await _of_log(table), *await _of_marks(table, state), *await _of_calls(table, state)]


async def _of_log(table: LiveTable) -> list[str]:
    entries = f"SELECT seq, entry FROM {table.local} WHERE log = {LOG} AND kind = 0"
    found = await table.clickhouse.query(
        "SELECT count() AS entries, uniqExact(seq) AS numbers, max(seq) - min(seq) + 1 AS length"
        f" FROM {table.name} WHERE log = {LOG} AND kind = {LiveRowKind.ENTRY:d}"
    )
    (counted,) = found.to_pylist()
    problems = []
    if counted["entries"] != counted["numbers"]:
        problems.append("entries of the log are double")
    if counted["entries"] and counted["numbers"] != counted["length"]:
        problems.append("entries of the log are missing")
    found = await table.clickhouse.query(
        f"SELECT count() AS strays FROM {table.name} WHERE log = {LOG}"
        f" AND seq IN (SELECT seq FROM ({entries})) AND (seq, entry) NOT IN ({entries})"
    )
    if strays := found.column("strays")[0].as_py():
        problems.append(f"{strays} rows came with no entry of the log")
    return problems


async def _of_marks(table: LiveTable, state: LiveState) -> list[str]:
    """Return how many marks are added twice, or taken back and never added."""
    counts, values = row_counts(state.visibility, table, "name")
    found = await table.clickhouse.query(
        "SELECT count() AS marks FROM ("
        f" SELECT sum(sign) AS times FROM {table.name}"
        f" WHERE log = {LOG} AND kind = {LiveRowKind.MARK:d} AND call_no != 0 AND {counts}"
        " GROUP BY name, call_no, at, counter, amount HAVING times NOT IN (0, 1))",
        values,
    )
    wrong = found.column("marks")[0].as_py()
    return [f"{wrong} marks of history count more or less than once"] if wrong else []


async def _of_calls(table: LiveTable, state: LiveState) -> list[str]:
    """Return the tenants whose active calls are others by history than by their states."""
    counts, values = row_counts(state.visibility, table, "name")
    found = await table.clickhouse.query(
        f"SELECT name, sum(sign * amount) AS active FROM {table.name}"
        f" WHERE log = {LOG} AND kind = {LiveRowKind.MARK:d} AND {STARTS_OR_ENDS} AND {counts}"
        " GROUP BY name HAVING active != 0",
        values,
    )
    by_history = {row["name"]: row["active"] for row in found.to_pylist()}
    by_state: dict[str, int] = {}
    for known in state.listed.values():
        if known.call.stage is CallStage.ACTIVE:
            by_state[known.call.tenant_id] = by_state.get(known.call.tenant_id, 0) + 1
    return [
        f"tenant {tenant_id}: {by_history.get(tenant_id, 0)} calls are active by history, and"
        f" {by_state.get(tenant_id, 0)} by their states"
        for tenant_id in sorted(by_history.keys() | by_state.keys())
        if by_history.get(tenant_id) != by_state.get(tenant_id)
    ]
