"""The gate of `vumeter simulation`: asks for a comparison, and judges by limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click
import numpy as np

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.commands.gate_report import NOT_COMPARED, WITHIN, WORSE, Judged, report
from vumeter_server.commands.remote import CALL_TIMEOUT_SECONDS, Remote, connected
from vumeter_server.commands.remote_tls import RemoteTls
from vumeter_server.commands.simulation_limits import PREVIOUS, Gate, Limit
from vumeter_server.simulation.compare import FAILED_PERCENT
from vumeter_server.simulation.grpc_messages import read_numbers
from vumeter_server.simulation.model import NUMBER_NAMES
from vumeter_server.simulation.noise import (
    Values,
    source_of,
    tolerated_change,
    tolerated_failures,
)

_PAGE = 100
# A run that ended so, or never had a call, is nothing to compare with.
_NO_BASELINE: Final = frozenset(
    {
        pb.EXECUTION_STATUS_FAILED,
        pb.EXECUTION_STATUS_CANCELLING,
        pb.EXECUTION_STATUS_CANCELLED,
    }
)
_UNFINISHED: Final = {
    pb.EXECUTION_STATUS_RUNNING: "running",
    pb.EXECUTION_STATUS_EVALUATING: "evaluating",
    pb.EXECUTION_STATUS_CANCELLING: "cancelling",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Server:
    """What the gate asks of a server."""

    stub: SimulationServiceStub
    remote: Remote

    def compare(
        self, baseline: str, candidate: str, limits: Iterable[Limit]
    ) -> pb.CompareExecutionsResponse:
        request = pb.CompareExecutionsRequest(
            baseline_execution_id=baseline,
            execution_id=candidate,
            thresholds=[_threshold(limit) for limit in limits],
        )
        compared: pb.CompareExecutionsResponse = self.stub.CompareExecutions(
            request, metadata=self.remote.metadata, timeout=CALL_TIMEOUT_SECONDS
        )
        return compared

    def run_test_of(self, execution: str) -> str:
        found = self.stub.GetExecutionMetrics(
            pb.GetExecutionMetricsRequest(execution_id=execution),
            metadata=self.remote.metadata,
            timeout=CALL_TIMEOUT_SECONDS,
        )
        return str(found.execution.run_test_name)

    def executions(self, run_test: str) -> Iterable[pb.ExecutionMetrics]:
        """Yield the executions of a run test, newest first."""
        token = ""
        while True:
            page = self.stub.ListExecutionMetrics(
                pb.ListExecutionMetricsRequest(
                    run_test_name=run_test, page_size=_PAGE, page_token=token
                ),
                metadata=self.remote.metadata,
                timeout=CALL_TIMEOUT_SECONDS,
            )
            yield from page.executions
            token = page.next_page_token
            if not token:
                return

    def values(self, execution: str) -> dict[str, Values]:
        """Return what the calls of an execution reported, by the name of the number."""
        reported: list[list[float]] = [[] for _ in NUMBER_NAMES]
        exported = self.stub.ExportCalls(
            pb.ExportCallsRequest(execution_id=execution), metadata=self.remote.metadata
        )
        for page in exported:
            for call in page.calls:
                for values, number in zip(reported, read_numbers(call), strict=True):
                    if number is not None:
                        values.append(number)
        return {name: np.array(values) for name, values in zip(NUMBER_NAMES, reported, strict=True)}


def run_gate(target: str, *, tls: RemoteTls | None, gate: Gate) -> int:
    """Print the report; return 0 within the limits, 1 when worse, 2 if not comparable."""
    with connected(target, tls=tls) as remote:
        server = _Server(stub=SimulationServiceStub(remote.channel), remote=remote)
        baseline, candidate = _executions(server, gate)
        compared = server.compare(baseline, candidate, gate.limits)
        if not gate.limits and (limits := _default_limits(server, compared, gate.tolerance)):
            compared = server.compare(baseline, candidate, limits)
    judged = Judged(status=_status(compared, is_measured=bool(gate.limits)), compared=compared)
    click.echo(report(judged, gate.output_format))
    return judged.status


def _executions(server: _Server, gate: Gate) -> tuple[str, str]:
    """Return the ids of the baseline and of the candidate.

    Raises:
        ClickException: there is none to take.
    """
    if gate.candidate is not None and gate.baseline != PREVIOUS and gate.run_test is None:
        return gate.baseline, gate.candidate
    run_test = gate.run_test or server.run_test_of(gate.candidate or "")
    found = iter(server.executions(run_test))
    wanted = gate.candidate and gate.candidate.lower()
    for candidate in found:
        if wanted in (None, candidate.execution_id):
            break
    else:
        which = f"no execution {wanted}" if wanted else "no execution yet"
        raise click.ClickException(f"{run_test} has {which}")
    if wanted is None and candidate.status in _UNFINISHED:
        raise click.ClickException(
            f"the newest execution of {run_test}, {candidate.execution_id}, is"
            f" {_UNFINISHED[candidate.status]}: wait for its end, or give --candidate"
        )
    if gate.baseline != PREVIOUS:
        return gate.baseline, candidate.execution_id
    for baseline in found:
        if baseline.status not in _NO_BASELINE and baseline.calls.total:
            return baseline.execution_id, candidate.execution_id
    raise click.ClickException(
        f"{run_test} has no execution before {candidate.execution_id} to compare with"
    )


def _default_limits(
    server: _Server, compared: pb.CompareExecutionsResponse, tolerance: float | None
) -> list[Limit]:
    """Return a limit for each metric that both executions have; `tolerance` None is chance."""
    known = [row for row in compared.metrics if row.HasField("difference")]
    sides = (compared.baseline, compared.candidate)
    limits = []
    if tolerance is not None:
        limits = [_limit(row, tolerance, "change_percent") for row in known]
    elif known:
        before, after = (server.values(side.execution_id) for side in sides)
        for row in known:
            source = source_of(row.metric)
            change = tolerated_change(row.metric, row.baseline, before[source], after[source])
            limits.append(_limit(row, change, "change"))
    if all(side.total_calls for side in sides):
        calls, failed = [each.total_calls for each in sides], [each.failed_calls for each in sides]
        points = tolerated_failures(failed, calls) if tolerance is None else tolerance
        limits.append(Limit(metric=FAILED_PERCENT, bound="max_change", number=_short(points)))
    return limits


def _limit(row: pb.ComparedMetric, worse_by: float, kind: str) -> Limit:
    if row.better == pb.BETTER_HIGHER:
        return Limit(metric=row.metric, bound=f"min_{kind}", number=-_short(worse_by))
    return Limit(metric=row.metric, bound=f"max_{kind}", number=_short(worse_by))


def _short(number: float) -> float:
    """Return a number with as many digits as people read."""
    return float(f"{number:.4g}")


def _threshold(limit: Limit) -> pb.Threshold:
    bound: dict[str, Any] = {limit.bound: limit.number}
    return pb.Threshold(metric=limit.metric, **bound)


def _status(compared: pb.CompareExecutionsResponse, *, is_measured: bool) -> int:
    outcomes: Sequence[pb.ThresholdOutcome] = [each.outcome for each in compared.thresholds]
    if pb.THRESHOLD_OUTCOME_EXCEEDED in outcomes:
        return WORSE
    is_measured = is_measured or any(row.HasField("difference") for row in compared.metrics)
    if pb.THRESHOLD_OUTCOME_UNKNOWN in outcomes or not is_measured:
        return NOT_COMPARED
    return WITHIN
