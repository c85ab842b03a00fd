"""The gate of `vumeter simulation`: asks for a comparison, and prints it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.commands.remote import CALL_TIMEOUT_SECONDS, connected
from vumeter_server.commands.remote_tls import RemoteTls
from vumeter_server.commands.simulation_limits import Limit
from vumeter_server.commands.tables import text_table

WITHIN, WORSE, NOT_COMPARED = 0, 1, 2

_VERDICTS = {
    pb.VERDICT_BETTER: "better",
    pb.VERDICT_WORSE: "worse",
    pb.VERDICT_SAME: "same",
    pb.VERDICT_UNKNOWN: "unknown",
}
_OUTCOMES = {
    pb.THRESHOLD_OUTCOME_WITHIN: "within",
    pb.THRESHOLD_OUTCOME_EXCEEDED: "exceeded",
    pb.THRESHOLD_OUTCOME_UNKNOWN: "unknown",
}
_SUMMARIES = {
    WITHIN: "within the limits",
    WORSE: "worse than allowed",
    NOT_COMPARED: "could not be compared",
}


def run_gate(
    target: str, *, tls: RemoteTls | None, baseline: str, candidate: str, limits: Iterable[Limit]
) -> int:
    """Print both executions and each limit; return 0 within, 1 when worse, 2 if not comparable."""
    request = pb.CompareExecutionsRequest(
        baseline_execution_id=baseline,
        execution_id=candidate,
        thresholds=[_threshold(limit) for limit in limits],
    )
    with connected(target, tls=tls) as remote:
        compared = SimulationServiceStub(remote.channel).CompareExecutions(
            request, metadata=remote.metadata, timeout=CALL_TIMEOUT_SECONDS
        )
    status = _status(compared)
    click.echo(_report(compared))
    click.echo(f"\n{_SUMMARIES[status]}")
    return status


def _threshold(limit: Limit) -> pb.Threshold:
    bound: dict[str, Any] = {limit.bound: limit.number}
    return pb.Threshold(metric=limit.metric, **bound)


def _status(compared: pb.CompareExecutionsResponse) -> int:
    if compared.thresholds:
        outcomes = {result.outcome for result in compared.thresholds}
        if pb.THRESHOLD_OUTCOME_EXCEEDED in outcomes:
            return WORSE
        return NOT_COMPARED if pb.THRESHOLD_OUTCOME_UNKNOWN in outcomes else WITHIN
    verdicts = {row.verdict for row in compared.metrics}
    if pb.VERDICT_WORSE in verdicts:
        return WORSE
    return NOT_COMPARED if verdicts == {pb.VERDICT_UNKNOWN} else WITHIN


def _report(compared: pb.CompareExecutionsResponse) -> str:
    parts = [
        text_table(
            [
                (side, each.execution_id, each.run_test_name, f"{each.calls.total} calls")
                for side, each in (
                    ("baseline", compared.baseline),
                    ("candidate", compared.candidate),
                )
            ],
            left_columns=(0, 1, 2),
        ),
        text_table(
            [
                ("metric", "baseline", "candidate", "difference", "", "verdict"),
                *(_metric_row(row) for row in compared.metrics),
            ],
            left_columns=(0, 5),
        ),
    ]
    if compared.thresholds:
        parts.append(
            text_table(
                [
                    ("limit", "", "comes to", "candidate", "outcome"),
                    *(_limit_row(result) for result in compared.thresholds),
                ],
                left_columns=(0, 1, 4),
            )
        )
    return "\n\n".join(parts)


def _metric_row(row: pb.ComparedMetric) -> Sequence[str]:
    return (
        row.metric,
        _number(row.baseline) if row.HasField("baseline") else "-",
        _number(row.candidate) if row.HasField("candidate") else "-",
        _number(row.difference, signed=True) if row.HasField("difference") else "-",
        f"{row.difference_percent:+.2f}%" if row.HasField("difference_percent") else "",
        _VERDICTS[row.verdict],
    )


def _limit_row(result: pb.ThresholdResult) -> Sequence[str]:
    threshold = result.threshold
    kind = threshold.WhichOneof("limit") or ""
    side, _, kind = kind.partition("_")
    number: float = getattr(threshold, f"{side}_{kind}")
    shown = _number(number, signed=kind != "value") + ("%" if kind == "change_percent" else "")
    return (
        threshold.metric,
        f"{side} {shown}",
        _number(result.limit) if result.HasField("limit") else "-",
        _number(result.candidate) if result.HasField("candidate") else "-",
        _OUTCOMES[result.outcome],
    )


def _number(value: float, *, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}.12g}"
