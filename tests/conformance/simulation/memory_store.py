"""A store of simulation metrics in memory: the contract in its plainest form, for comparison.

Nothing is kept up to date here: each answer is computed from the calls, by their definition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

from tests.simulation import reference

from vumeter_server.errors import Unavailable
from vumeter_server.simulation.aggregation import CallTotals, ExecutionMetrics
from vumeter_server.simulation.model import (
    CALL_STATUSES,
    NUMBER_NAMES,
    CallReport,
    ExecutionReport,
)
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

_LATENCY = NUMBER_NAMES.index("avg_agent_latency_ms")


@dataclass(slots=True)
class _Stored:
    """An execution, the number of its first recording, and its calls by id."""

    report: ExecutionReport
    sequence: int
    calls: dict[str, CallReport] = field(default_factory=dict)

    @property
    def order(self) -> tuple[bool, int, int]:
        """Greater for what comes earlier in a list."""
        started_at = self.report.started_at
        return started_at is not None, started_at or 0, self.sequence


@dataclass(slots=True)
class _Organization:
    run_tests: set[str] = field(default_factory=set)
    executions: dict[str, _Stored] = field(default_factory=dict)

    def execution_of(self, call_execution_id: str) -> str | None:
        """Return the id of the execution that a call belongs to."""
        for execution_id, stored in self.executions.items():
            if call_execution_id in stored.calls:
                return execution_id
        return None

    def of_run_test(self, run_test_name: str) -> list[_Stored]:
        """Return the executions of a run test, newest first."""
        found = [
            stored
            for stored in self.executions.values()
            if stored.report.run_test_name == run_test_name
        ]
        return sorted(found, key=lambda stored: stored.order, reverse=True)


class MemorySimulationStore:
    """Keeps everything in dicts. No method waits inside, so each is atomic."""

    def __init__(self) -> None:
        self._organizations: dict[int, _Organization] = {}
        self._sequence = count(1)
        self._is_unavailable = False

    def set_unavailable(self, is_unavailable: bool) -> None:
        """Let storage fail, or work again."""
        self._is_unavailable = is_unavailable

    def _to_change(self, organization_id: int) -> _Organization:
        if self._is_unavailable:
            raise Unavailable
        return self._of(organization_id)

    def _of(self, organization_id: int) -> _Organization:
        return self._organizations.setdefault(organization_id, _Organization())

    async def record_run_test(self, organization_id: int, run_test_name: str) -> None:
        """Create a run test."""
        self._to_change(organization_id).run_tests.add(run_test_name)

    async def record_execution(self, organization_id: int, report: ExecutionReport) -> None:
        """Store an execution, and its run test."""
        organization = self._to_change(organization_id)
        stored = organization.executions.get(report.execution_id)
        if stored is None:
            stored = _Stored(report=report, sequence=next(self._sequence))
            organization.executions[report.execution_id] = stored
        elif stored.report.run_test_name != report.run_test_name:
            raise of_another_run_test()
        stored.report = report
        organization.run_tests.add(report.run_test_name)

    async def record_calls(self, organization_id: int, reports: Sequence[CallReport]) -> None:
        """Store calls, all of them or none."""
        organization = self._to_change(organization_id)
        unknown = [
            index
            for index, report in enumerate(reports)
            if report.execution_id not in organization.executions
        ]
        if unknown:
            raise unknown_executions(unknown)
        in_batch: dict[str, str] = {}
        for index, report in enumerate(reports):
            of = organization.execution_of(report.call_execution_id)
            of = in_batch.setdefault(report.call_execution_id, of or report.execution_id)
            if of != report.execution_id:
                raise of_another_execution(index)
        for report in reports:
            organization.executions[report.execution_id].calls[report.call_execution_id] = report

    async def delete_execution(self, organization_id: int, execution_id: str) -> int | None:
        """Delete an execution with its calls."""
        stored = self._to_change(organization_id).executions.pop(execution_id, None)
        return None if stored is None else len(stored.calls)

    async def delete_run_tests(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Delete run tests with their executions and calls."""
        organization = self._to_change(organization_id)
        deleted = await self.contents(organization_id, names)
        organization.run_tests = {
            each for each in organization.run_tests if not _is_among(each, names)
        }
        organization.executions = {
            each: stored
            for each, stored in organization.executions.items()
            if not _is_among(stored.report.run_test_name, names)
        }
        return deleted

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything of an organization."""
        self._to_change(organization_id)
        del self._organizations[organization_id]

    async def contents(
        self, organization_id: int, names: Collection[str] | None
    ) -> SimulationContents:
        """Return what `delete_run_tests` would delete."""
        organization = self._of(organization_id)
        executions = [
            stored
            for stored in organization.executions.values()
            if _is_among(stored.report.run_test_name, names)
        ]
        return SimulationContents(
            run_tests=sum(_is_among(each, names) for each in organization.run_tests),
            executions=len(executions),
            calls=sum(len(stored.calls) for stored in executions),
        )

    async def call(self, organization_id: int, call_execution_id: str) -> CallReport | None:
        """Return a call as recorded last."""
        organization = self._of(organization_id)
        execution_id = organization.execution_of(call_execution_id)
        if execution_id is None:
            return None
        return organization.executions[execution_id].calls[call_execution_id]

    async def calls(self, organization_id: int, asked: CallsQuery) -> Sequence[CallReport]:
        """Return all further calls by id."""
        chosen = [
            call
            for execution_id, stored in self._of(organization_id).executions.items()
            for call in stored.calls.values()
            if asked.execution_id in (None, execution_id)
            and asked.run_test_name in (None, stored.report.run_test_name)
            and call.call_execution_id > asked.after
        ]
        return sorted(chosen, key=lambda call: call.call_execution_id)

    async def count_calls(self, organization_id: int) -> int:
        """Return how many calls there are."""
        return sum(len(each.calls) for each in self._of(organization_id).executions.values())

    async def execution(
        self, organization_id: int, execution_id: str, percentiles: Sequence[float]
    ) -> ExecutionMetrics | None:
        """Return an execution."""
        stored = self._of(organization_id).executions.get(execution_id)
        return None if stored is None else _metrics(stored, percentiles)

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
        """Return a page of a run test's executions."""
        organization = self._of(organization_id)
        if run_test_name not in organization.run_tests:
            return None
        of_run_test = organization.of_run_test(run_test_name)
        rest = of_run_test
        if after is not None:
            end = (after.started_at is not None, after.started_at or 0, after.sequence)
            rest = [stored for stored in of_run_test if stored.order < end]
        page, more = rest[offset : offset + limit], rest[offset + limit :]
        ends_at = None
        if more:
            last = page[-1]
            ends_at = ExecutionPosition(started_at=last.report.started_at, sequence=last.sequence)
        return ExecutionsPage(
            count=len(of_run_test),
            executions=[_metrics(stored, percentiles) for stored in page],
            ends_at=ends_at,
        )

    async def executions_as_recorded(
        self, organization_id: int, *, after: int, limit: int
    ) -> Sequence[tuple[int, ExecutionReport]]:
        """Return executions in the order of their first recording."""
        executions = self._of(organization_id).executions.values()
        found = sorted((each.sequence, each.report.execution_id) for each in executions)
        reports = {each.report.execution_id: each.report for each in executions}
        return [(number, reports[of]) for number, of in found if number > after][:limit]

    async def run_tests(self, organization_id: int, *, after: str, limit: int) -> Sequence[RunTest]:
        """Return run tests by name."""
        organization = self._of(organization_id)
        names = sorted(name for name in organization.run_tests if name > after)
        return [_run_test(name, organization.of_run_test(name)) for name in names[:limit]]

    async def run_maintenance(self) -> None:
        """Nothing is put off."""
        await asyncio.Event().wait()


def _is_among(run_test_name: str, names: Collection[str] | None) -> bool:
    return names is None or run_test_name in names


def _run_test(name: str, executions: Sequence[_Stored]) -> RunTest:
    starts = [each.report.started_at for each in executions if each.report.started_at is not None]
    return RunTest(
        run_test_name=name,
        execution_count=len(executions),
        last_started_at=max(starts, default=None),
    )


def _metrics(stored: _Stored, percentiles: Sequence[float]) -> ExecutionMetrics:
    calls = list(stored.calls.values())
    columns = [
        [value for value in column if value is not None]
        for column in zip(*(call.numbers for call in calls), strict=True)
    ] or [[] for _ in NUMBER_NAMES]
    latencies = columns[_LATENCY]
    return ExecutionMetrics(
        report=stored.report,
        totals=CallTotals(
            calls=[sum(call.status == status for call in calls) for status in CALL_STATUSES],
            samples=[len(column) for column in columns],
            micros=[
                int(sum(map(reference.exact, column), Fraction(0)) * 10**6) for column in columns
            ],
        ),
        percentiles=tuple(
            (wanted, reference.percentile(latencies, wanted)) for wanted in percentiles if latencies
        ),
    )
