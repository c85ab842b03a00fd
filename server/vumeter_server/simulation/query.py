"""The use cases of asking, and of deleting; both APIs ask through these functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vumeter_server.access.audit import AuditLog
from vumeter_server.access.authenticator import Caller
from vumeter_server.errors import InvalidArgument, NotFound
from vumeter_server.simulation import pages
from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES, ExecutionMetrics
from vumeter_server.simulation.compare import Comparison, Threshold, check_thresholds, compare
from vumeter_server.simulation.model import CallReport
from vumeter_server.simulation.store import (
    CALL_NOT_FOUND,
    EXECUTION_NOT_FOUND,
    RUN_TEST_NOT_FOUND,
    CallsQuery,
    ExecutionPosition,
    ExecutionsPage,
    SimulationStore,
)
from vumeter_server.simulation.validation import checked_run_test_name, checked_uuid

MAX_PERCENTILES = 100


async def get_call(
    store: SimulationStore, organization_id: int, call_execution_id: str
) -> CallReport:
    """Return a call as recorded.

    Raises:
        InvalidArgument: the id is no UUID.
        NotFound: there is no such call in the organization.
    """
    call_id = checked_uuid(call_execution_id, "call_execution_id")
    call = await store.call(organization_id, call_id)
    if call is None:
        raise NotFound(CALL_NOT_FOUND)
    return call


async def get_execution(
    store: SimulationStore,
    organization_id: int,
    execution_id: str,
    percentiles: Sequence[float] = DOCUMENTED_PERCENTILES,
) -> ExecutionMetrics:
    """Return an execution with its metrics.

    Raises:
        InvalidArgument: the id is no UUID, or a percentile is out of range.
        NotFound: there is no such execution in the organization.
    """
    execution = await store.execution(
        organization_id,
        checked_uuid(execution_id, "execution_id"),
        checked_percentiles(percentiles),
    )
    if execution is None:
        raise NotFound(EXECUTION_NOT_FOUND)
    return execution


async def get_numbered_page(
    store: SimulationStore, organization_id: int, run_test_name: str, *, page: int, limit: int
) -> ExecutionsPage:
    """Return a page of a run test's executions by its number, from 1.

    Raises:
        InvalidArgument: a name that no run test can have.
        NotFound: there is no such run test, or the page is past the last.
    """
    found = await store.executions(
        organization_id,
        checked_run_test_name(run_test_name),
        percentiles=DOCUMENTED_PERCENTILES,
        limit=limit,
        offset=min((page - 1) * limit, 2**62),
    )
    if found is None:
        raise NotFound(RUN_TEST_NOT_FOUND)
    pages.check_page(page, found.count, limit)
    return found


async def list_executions(
    store: SimulationStore,
    organization_id: int,
    run_test_name: str,
    *,
    limit: int,
    after: ExecutionPosition | None,
    percentiles: Sequence[float],
) -> ExecutionsPage:
    """Return at most `limit` of a run test's executions, those that come behind `after`.

    Raises:
        InvalidArgument: a name that no run test can have, or a percentile out of range.
        NotFound: there is no such run test.
    """
    found = await store.executions(
        organization_id,
        checked_run_test_name(run_test_name),
        percentiles=checked_percentiles(percentiles),
        limit=limit,
        after=after,
    )
    if found is None:
        raise NotFound(RUN_TEST_NOT_FOUND)
    return found


async def compare_executions(
    store: SimulationStore,
    organization_id: int,
    *,
    baseline_execution_id: str,
    execution_id: str,
    thresholds: Sequence[Threshold] = (),
) -> Comparison:
    """Set two executions side by side.

    Raises:
        InvalidArgument: an id is no UUID, or a threshold cannot be checked.
        NotFound: there is no such execution in the organization.
    """
    check_thresholds(thresholds)
    baseline_id = checked_uuid(baseline_execution_id, "baseline_execution_id")
    candidate_id = checked_uuid(execution_id, "execution_id")
    baseline = await get_execution(store, organization_id, baseline_id)
    candidate = await get_execution(store, organization_id, candidate_id)
    return compare(baseline, candidate, thresholds)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallsPage:
    """Some calls of an export, and how many were before them out of about `total`."""

    calls: Sequence[CallReport]
    before: int
    total: int


async def export_calls(
    store: SimulationStore,
    audit: AuditLog,
    caller: Caller,
    *,
    run_test_name: str = "",
    execution_id: str = "",
    after: tuple[str, int, int] | None = None,
) -> AsyncIterator[CallsPage]:
    """Yield calls by id, those of a run test or of an execution if one is given.

    `after` is the last id, the number of calls and the total of an earlier page.

    Raises:
        InvalidArgument: the name or the id is none.
    """
    last, before, total = after or ("", 0, 0)
    asked = CallsQuery(
        run_test_name=checked_run_test_name(run_test_name) if run_test_name else None,
        execution_id=checked_uuid(execution_id, "execution_id") if execution_id else None,
        after=last,
    )
    organization_id = caller.organization_id
    await audit.append(
        caller.actor, "calls.export", organization_id=organization_id, details=_in_words(asked)
    )
    total = total or await store.count_calls(organization_id)
    while calls := await store.calls(organization_id, asked):
        yield CallsPage(calls=calls, before=before, total=total)
        before += len(calls)
        asked = replace(asked, after=calls[-1].call_execution_id)


def _in_words(asked: CallsQuery) -> dict[str, Any]:
    """Return which calls are asked for as plain values for the audit."""
    words = {
        "run_test": asked.run_test_name,
        "execution": asked.execution_id,
        "goes_on": bool(asked.after) or None,
    }
    return {name: value for name, value in words.items() if value is not None}


async def delete_execution(
    store: SimulationStore, audit: AuditLog, caller: Caller, execution_id: str
) -> int:
    """Delete an execution with its calls, and return how many calls.

    Raises:
        InvalidArgument: the id is no UUID.
        NotFound: there is no such execution in the organization.
    """
    organization_id = caller.organization_id
    known_id = checked_uuid(execution_id, "execution_id")
    known = await store.execution(organization_id, known_id, ())
    if known is None:
        raise NotFound(EXECUTION_NOT_FOUND)
    await audit.append(
        caller.actor,
        "execution.delete",
        organization_id=organization_id,
        target=known_id,
        details={"calls": known.totals.all_calls},
    )
    deleted = await store.delete_execution(organization_id, known_id)
    if deleted is None:
        raise NotFound(EXECUTION_NOT_FOUND)
    return deleted


def checked_percentiles(wanted: Sequence[float]) -> Sequence[float]:
    """Return the percentiles to compute, ascending and without repeats; none means 50, 95 and 99.

    Raises:
        InvalidArgument: one is not from 0 to 100, or there are more than 100.
    """
    if len(wanted) > MAX_PERCENTILES:
        raise InvalidArgument.of("percentiles", f"must hold at most {MAX_PERCENTILES} percentiles")
    for place, percentile in enumerate(wanted):
        if not 0 <= percentile <= 100:  # NaN is not, either
            raise InvalidArgument.of(f"percentiles[{place}]", "must be from 0 to 100")
    return sorted({percentile + 0.0 for percentile in wanted}) or DOCUMENTED_PERCENTILES
