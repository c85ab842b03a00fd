"""What recordings and deletions are checked against, and where pages begin."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vumeter_server.clickhouse import Parameter
from vumeter_server.simulation.clickhouse.reading import SimulationReader
from vumeter_server.simulation.store import ExecutionPosition, SimulationContents


async def owners_of(reader: SimulationReader, call_ids: Sequence[str]) -> dict[str, str]:
    """Return by call the execution that has it, of those calls that there are."""
    ever = await reader.owners(sorted(set(call_ids)))
    known = await reader.executions(sorted({of for owners in ever.values() for of, _ in owners}))
    return {
        call: of
        for call, owners in ever.items()
        for of, first in owners
        if of in known and known[of].first == first
    }


async def contents_of(
    reader: SimulationReader, names: Collection[str] | None
) -> tuple[list[str], list[str], SimulationContents]:
    """Return run tests and ids of executions, all or of some names, and how much that is."""
    chosen = None if names is None else set(names)
    run_tests = [name for name in await reader.run_test_names() if chosen is None or name in chosen]
    executions = [
        (execution_id, first)
        for execution_id, first, name in await reader.execution_firsts()
        if chosen is None or name in chosen
    ]
    calls = await reader.count_calls() if executions else {}
    contents = SimulationContents(
        run_tests=len(run_tests),
        executions=len(executions),
        calls=sum(calls.get(each, 0) for each in executions),
    )
    return run_tests, [execution_id for execution_id, _ in executions], contents


def behind(after: ExecutionPosition | None) -> tuple[str, dict[str, Parameter]]:
    """Return the condition of executions that come after a position, and its values."""
    if after is None:
        return "1", {}
    first = {"after_first": after.sequence}
    if after.started_at is None:
        return "started_at IS NULL AND first < {after_first:Int64}", dict(first)
    return (
        "(started_at IS NULL OR started_at < {after_start:Int64}"
        " OR started_at = {after_start:Int64} AND first < {after_first:Int64})",
        {"after_start": after.started_at, **first},
    )
