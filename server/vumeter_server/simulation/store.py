"""The contract of a store of simulation metrics: what every implementation promises.

A conformance suite holds every store to these words (`tests/conformance/simulation`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vumeter_server.errors import Conflict, NotFound, Violation
from vumeter_server.simulation.aggregation import ExecutionMetrics
from vumeter_server.simulation.model import CallReport, ExecutionReport

RUN_TEST_NOT_FOUND = "Run test not found."
EXECUTION_NOT_FOUND = "Test execution not found."
CALL_NOT_FOUND = "Call execution not found."


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionPosition:
    """Where an execution stands in its run test: by `started_at`, then by order of recording.

    `sequence` grows with each new execution, and a deleted execution's number is not used again.
    """

    started_at: int | None
    sequence: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionsPage:
    """Executions of a run test, newest first, out of `count`.

    `ends_at` is where the page ends, None when nothing comes after it.
    """

    count: int
    executions: Sequence[ExecutionMetrics]
    ends_at: ExecutionPosition | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTest:
    """A run test, how many executions it has, and the greatest `started_at` among them.

    `last_started_at` is in microseconds since the epoch, None when no execution has a start.
    """

    run_test_name: str
    execution_count: int
    last_started_at: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulationContents:
    """How many run tests there are, or were deleted, with their executions and calls."""

    run_tests: int
    executions: int
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CallsQuery:
    """Says which calls are exported: of a run test, of an execution, or all; None for any.

    They are those whose ids come after `after`, "" for the beginning.
    """

    run_test_name: str | None = None
    execution_id: str | None = None
    after: str = ""


class SimulationStore(Protocol):
    """Keeps run tests, executions and calls.

    What holds for every method:

    - Organizations: a method sees and changes only what belongs to `organization_id`. Two
      organizations may use the same names and ids, and never notice each other.
    - Atomicity: a method that records or deletes does all of it or, if it raises, none of it.
      Nobody ever sees a part.
    - Durability: when such a method has returned, what it did survives the end of the process, a
      kill and a power cut.
    - Visibility: every query that begins after that, in any process, sees what it did.
    - Snapshots: a query sees one moment. What an `ExecutionMetrics` holds belongs together.
    - Concurrency: methods may run at the same time. The result is that of some order of them.
    - Exactness: totals are exact sums of the decimals reported, whatever the order of recording
      and however often calls were replaced; percentiles are those of
      `aggregation.percentiles_of` over all calls.
    - Input: what is given was checked by `validation`: ids are UUIDs in lower case, numbers are
      rounded to 6 decimals, and texts hold no lone surrogate.
    - Unavailable is raised by any method when the storage is busy, full or failing.
    """

    async def record_run_test(self, organization_id: int, run_test_name: str) -> None:
        """Create a run test without executions; one of that name is left as it is."""

    async def record_execution(self, organization_id: int, report: ExecutionReport) -> None:
        """Store an execution, and create its run test if there is none of that name.

        A report of a known execution replaces the whole earlier report: a field that is absent now
        is absent afterwards. Its calls stay, and so does its place in the order of recording.

        Raises:
            Conflict: the execution belongs to another run test (`of_another_run_test`). The run
                test named in the report is not created.
        """

    async def record_calls(self, organization_id: int, reports: Sequence[CallReport]) -> None:
        """Store calls in the order given.

        A report of a known call replaces the whole earlier report, also within one batch, so that
        the last report of a call counts. The batch may name several executions; an empty batch
        changes nothing.

        Raises:
            NotFound: an execution is unknown (`unknown_executions`, which names every such call).
                It is reported before any Conflict.
            Conflict: a call belongs to another execution, stored earlier or named earlier in the
                batch (`of_another_execution`, for the first such call).
        """

    async def delete_execution(self, organization_id: int, execution_id: str) -> int | None:
        """Delete an execution with its calls; return how many calls, None if it is unknown.

        Their ids may be used again at once, also for another run test or execution. The run test
        stays, even without executions.
        """

    async def delete_run_tests(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Delete the run tests of some names, all of them if None; return what is deleted.

        They go with their executions and calls, all at one moment. A name that is unknown is passed
        over. Names and ids may be used again at once: what is reported afterwards is recorded as
        new, and calls of a deleted execution are rejected as those of an unknown one.
        """

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything that was recorded for an organization.

        Called when the organization is deleted and no caller can reach it any more; a recording
        that is under way is rejected with Unauthenticated. Queries see all of it or nothing. It can
        be cut short and repeated.
        """

    async def contents(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Return what `delete_run_tests` would delete."""

    async def call(self, organization_id: int, call_execution_id: str) -> CallReport | None:
        """Return a call as recorded last, None if it is unknown or its execution is deleted."""

    async def calls(self, organization_id: int, asked: CallsQuery) -> Sequence[CallReport]:
        """Return the next calls, up to 1,000, sorted by id, as recorded last; none at the end.

        Their objects are of at most 1 MiB together, unless one call alone has more. Following pages
        by the last id, one gets every call once that was there all the time.
        """

    async def count_calls(self, organization_id: int) -> int:
        """Return about how many calls there are."""

    async def execution(
        self, organization_id: int, execution_id: str, percentiles: Sequence[float]
    ) -> ExecutionMetrics | None:
        """Return an execution, None if it is unknown.

        `percentiles` are the wanted ones, ascending and without repeats, each from 0 to 100.
        """

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
        """Return executions of a run test, newest first, None if it is unknown.

        Newest first: by `started_at` descending, executions without one last; of equal ones the one
        that was recorded first later. The page begins after `after` (whether or not an execution
        still stands there), and `offset` (0 to 2^62) further; it holds up to `limit` (at least 1).
        `count` is of the whole run test. A page past the last is empty.

        Following `ends_at` from page to page gives every execution once that was there all the
        time and kept its start.
        """

    async def executions_as_recorded(
        self, organization_id: int, *, after: int, limit: int
    ) -> Sequence[tuple[int, ExecutionReport]]:
        """Return up to `limit` executions of all run tests in the order of their first recording.

        Each comes with its number in that order; they are those whose number is above `after`.
        """

    async def run_tests(self, organization_id: int, *, after: str, limit: int) -> Sequence[RunTest]:
        """Return up to `limit` run tests whose names come after `after`, in code point order."""

    async def run_maintenance(self) -> None:
        """Do the work that calls put off, until cancelled; never ends and never raises otherwise.

        It runs in the one process that writes. No answer depends on it: it frees space, and keeps
        what would be computed again. What fails is logged and tried again, so that nothing that was
        put off is lost while the process runs.
        """


class RunTestAdministration(Protocol):
    """What the commands ask of storage, beside a running server or without one.

    Raises an error with one line for the operator when storage is busy, full or failing.
    """

    def contents(self, organization_id: int, names: Collection[str]) -> SimulationContents:
        """Return what `delete` would delete."""

    def delete(self, organization_id: int, names: Collection[str]) -> SimulationContents:
        """Do as `SimulationStore.delete_run_tests`, and give the space back."""


def unknown_executions(indexes: Iterable[int]) -> NotFound:
    """Return the error for the calls at these places of a batch."""
    return NotFound(
        EXECUTION_NOT_FOUND,
        violations=[
            Violation(field=f"calls[{index}].execution_id", problem="is not a recorded execution")
            for index in indexes
        ],
    )


def of_another_execution(index: int) -> Conflict:
    """Return the error for the call at this place of a batch."""
    return Conflict(
        "Call execution belongs to another test execution.",
        violations=[
            Violation(
                field=f"calls[{index}].execution_id",
                problem="must be the one that the call was recorded with",
            )
        ],
    )


def of_another_run_test() -> Conflict:
    """Return the error for an execution that is reported with another run test."""
    return Conflict(
        "Test execution belongs to another run test.",
        violations=[
            Violation(field="run_test_name", problem="must be that of the recorded execution")
        ],
    )
