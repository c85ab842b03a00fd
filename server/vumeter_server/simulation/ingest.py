"""The use case of recording: run tests, executions and calls; both APIs record through it.

What is recorded was checked before, by the functions of `validation`, while it was read.
"""

from __future__ import annotations

from collections.abc import Sequence

from vumeter_server.simulation.model import CallReport, ExecutionReport
from vumeter_server.simulation.store import SimulationStore
from vumeter_server.simulation.validation import checked_run_test_name


async def record_run_test(store: SimulationStore, organization_id: int, run_test_name: str) -> None:
    """Create a run test; one of that name is left as it is.

    Raises:
        InvalidArgument: a name that no run test can have.
    """
    await store.record_run_test(organization_id, checked_run_test_name(run_test_name))


async def record_execution(
    store: SimulationStore, organization_id: int, report: ExecutionReport
) -> str:
    """Record an execution, and return its id as it is stored: in lower case.

    Raises:
        Conflict: it belongs to another run test.
    """
    await store.record_execution(organization_id, report)
    return report.execution_id


async def record_calls(
    store: SimulationStore, organization_id: int, reports: Sequence[CallReport]
) -> int:
    """Record calls, all of them or none, and return how many; an empty batch records 0.

    Raises:
        NotFound: an execution is unknown.
        Conflict: a call belongs to another execution.
    """
    if reports:
        await store.record_calls(organization_id, reports)
    return len(reports)
