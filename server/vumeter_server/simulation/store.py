"""What simulation metrics ask of storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vumeter_server.simulation.aggregation import Execution
from vumeter_server.simulation.model import CallReport, ExecutionReport

RUN_TEST_NOT_FOUND = "Run test not found."
EXECUTION_NOT_FOUND = "Test execution not found."
CALL_NOT_FOUND = "Call execution not found."


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where an execution stands in its run test: by `started_at`, then by order of recording."""

    started_at: int | None
    sequence: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionsPage:
    """Executions of a run test, newest first, out of `count`.

    `ends_at` is where the page ends, None when nothing comes after it.
    """

    count: int
    executions: Sequence[Execution]
    ends_at: Position | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTest:
    """A run test, how many executions it has, and the greatest `started_at` among them."""

    run_test_name: str
    execution_count: int
    last_started_at: int | None


class SimulationStore(Protocol):
    """Keeps run tests, executions and calls; every method is confined to one organization.

    What is recorded is durable when a method returns, and stored whole or not at all. A query sees
    one moment.
    """

    async def record_run_test(self, organization_id: int, run_test_name: str) -> None:
        """Make a run test if there is none of that name."""

    async def record_execution(self, organization_id: int, report: ExecutionReport) -> None:
        """Store an execution, replacing an earlier report of it, and its run test if new.

        Raises:
            Conflict: it belongs to another run test.
        """

    async def record_calls(self, organization_id: int, reports: Sequence[CallReport]) -> None:
        """Store calls in the order given, each replacing an earlier report of the same call.

        Raises:
            NotFound: an execution is unknown.
            Conflict: a call belongs to another execution.
        """

    async def delete_execution(self, organization_id: int, execution_id: str) -> int | None:
        """Delete an execution with its calls; return how many calls, None if it is unknown."""

    async def call(self, organization_id: int, call_execution_id: str) -> CallReport | None:
        """Return a call as recorded last, None if it is unknown."""

    async def execution(
        self, organization_id: int, execution_id: str, percentiles: Sequence[float]
    ) -> Execution | None:
        """Return an execution with the `percentiles` (ascending), None if it is unknown."""

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
        """Return executions of a run test, newest first, None if it is unknown.

        Newest first: by `started_at` (none last), then recorded later first. The page begins after
        `after`, and `offset` further.
        """

    async def run_tests(self, organization_id: int, *, after: str, limit: int) -> Sequence[RunTest]:
        """Return up to `limit` run tests whose names come after `after`, in code point order."""
