"""Run tests, executions and calls of an organization."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from vumeter_server.errors import Conflict, NotFound
from vumeter_server.simulation.model import CallReport, ExecutionReport
from vumeter_server.simulation.store import CallsQuery, SimulationStore
from vumeter_server.store_migration.differences import Difference, merged
from vumeter_server.store_migration.stores import OrganizationInBoth

_AT_ONCE: Final = 1_000


@dataclass(kw_only=True, slots=True)
class SimulationMigration:
    """Copies the simulations of one organization."""

    both: OrganizationInBoth
    run_tests_found: int = 0
    executions_found: int = 0
    calls_found: int = 0

    async def compare(self, fix: bool) -> Sequence[Difference]:
        """Compare everything, and mend it with `fix`."""
        return [
            *await self._run_tests(fix),
            *await self._executions(fix),
            *await self._calls(fix),
        ]

    async def _run_tests(self, fix: bool) -> list[Difference]:
        store = self.both.target.simulation
        ours = await _run_tests(self.both.source.simulation, self.both.source_id)
        theirs = set(await _run_tests(store, self.both.target_id))
        self.run_tests_found = len(ours)
        extra = theirs.difference(ours)
        missing = [name for name in ours if name not in theirs]
        if fix and extra:
            await store.delete_run_tests(self.both.target_id, extra)
        if fix:
            for name in missing:
                await store.record_run_test(self.both.target_id, name)
        return self._differences("run tests", missing=len(missing), extra=len(extra))

    async def _executions(self, fix: bool) -> list[Difference]:
        """Compare executions; their order is that in which they were recorded first."""
        store = self.both.target.simulation
        ours = await _executions(self.both.source.simulation, self.both.source_id)
        theirs = await _executions(store, self.both.target_id)
        self.executions_found = len(ours)
        known = {report.execution_id: report for report in theirs}
        alike = sum(
            1 for _ in takewhile(lambda both: _is_same(*both), zip(ours, theirs, strict=False))
        )
        # Recorded again behind these, the others come in the right order.
        extra = theirs[alike:]
        changed = [
            report
            for place, report in enumerate(ours)
            if place >= alike or known[report.execution_id] != report
        ]
        if fix:
            for report in extra:
                await store.delete_execution(self.both.target_id, report.execution_id)
            for report in changed:
                with contextlib.suppress(Conflict):
                    await store.record_execution(self.both.target_id, report)
        return self._differences("executions", missing=len(changed), extra=len(extra))

    async def _calls(self, fix: bool) -> list[Difference]:
        store = self.both.target.simulation
        missing: list[CallReport] = []
        found = lacking = 0
        extra: set[str] = set()
        both = merged(
            _calls(self.both.source.simulation, self.both.source_id),
            _calls(store, self.both.target_id),
            lambda each: each.call_execution_id,
        )
        async with contextlib.aclosing(both):
            async for ours, theirs in both:
                found += ours is not None
                if theirs is not None and (
                    ours is None or ours.execution_id != theirs.execution_id
                ):
                    # A call goes with its execution alone.
                    extra.add(theirs.execution_id)
                elif ours is not None and ours != theirs:
                    missing.append(ours)
                if len(missing) == _AT_ONCE:
                    lacking += await self._record_calls(missing, fix=fix)
                    missing = []
        lacking += await self._record_calls(missing, fix=fix)
        if fix:
            for execution_id in extra:
                await store.delete_execution(self.both.target_id, execution_id)
        self.calls_found = found
        return self._differences("calls", missing=lacking, extra=len(extra))

    async def _record_calls(self, missing: Sequence[CallReport], *, fix: bool) -> int:
        if missing and fix:
            # An execution that came or went meanwhile is found by the next comparison.
            with contextlib.suppress(NotFound, Conflict):
                await self.both.target.simulation.record_calls(self.both.target_id, missing)
        return len(missing)

    def _differences(self, what: str, *, missing: int, extra: int) -> list[Difference]:
        return [
            Difference(organization=self.both.organization, what=f"{what} {where}: {count:,}")
            for count, where in (
                (missing, "that the target has not, or not so"),
                (extra, "that the source has not, or not so"),
            )
            if count
        ]


def _is_same(ours: ExecutionReport, theirs: ExecutionReport) -> bool:
    return (ours.execution_id, ours.run_test_name) == (theirs.execution_id, theirs.run_test_name)


async def _run_tests(store: SimulationStore, organization_id: int) -> list[str]:
    names: list[str] = []
    while page := await store.run_tests(
        organization_id, after=names[-1] if names else "", limit=_AT_ONCE
    ):
        names += [each.run_test_name for each in page]
    return names


async def _executions(store: SimulationStore, organization_id: int) -> list[ExecutionReport]:
    found: list[ExecutionReport] = []
    after = 0
    while page := await store.executions_as_recorded(organization_id, after=after, limit=_AT_ONCE):
        found += [report for _, report in page]
        after = page[-1][0]
    return found


async def _calls(store: SimulationStore, organization_id: int) -> AsyncGenerator[CallReport, None]:
    after = ""
    while page := await store.calls(organization_id, CallsQuery(after=after)):
        for report in page:
            yield report
        after = page[-1].call_execution_id
