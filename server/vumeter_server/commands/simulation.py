"""`vumeter simulation`: what a pipeline asks about simulated calls."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.commands.remote import CALL_TIMEOUT_SECONDS, connected, remote_options
from vumeter_server.commands.tables import text_table

WITHIN, WORSE, NOT_COMPARED = 0, 1, 2

_LIMIT = re.compile(r"(?P<sign>[+-]?)(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<percent>%?)", re.ASCII)
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


class LimitType(click.ParamType[pb.Threshold]):
    """METRIC=LIMIT, where LIMIT is `+10%`, `-5%`, `+150`, or a value such as `3500`."""

    name = "METRIC=LIMIT"

    def __init__(self, side: str) -> None:
        self._side = side

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> pb.Threshold:
        """Return the threshold that the text stands for."""
        if isinstance(value, pb.Threshold):
            return value
        metric, _, limit = str(value).partition("=")
        read = _LIMIT.fullmatch(limit)
        if not metric or read is None or (read["percent"] and not read["sign"]):
            self.fail(
                f"{value} is not METRIC=LIMIT with a limit such as +10%, -5%, +150 or 3500",
                param,
                ctx,
            )
        number = float(read["sign"] + read["number"])
        kind = "change_percent" if read["percent"] else "change" if read["sign"] else "value"
        threshold = pb.Threshold(metric=metric)
        setattr(threshold, f"{self._side}_{kind}", number)
        return threshold


@click.group()
def simulation() -> None:
    """Simulated calls: judge a run against an earlier one."""


@simulation.command()
@remote_options
@click.option("--baseline", required=True, metavar="ID", help="Execution to compare against.")
@click.option("--candidate", required=True, metavar="ID", help="Execution to judge.")
@click.option(
    "--max",
    "most",
    type=LimitType("max"),
    multiple=True,
    help="Highest that a metric may be: +10% or +150 from the baseline, or a value. Repeatable.",
)
@click.option(
    "--min",
    "least",
    type=LimitType("min"),
    multiple=True,
    help="Lowest that a metric may be, written the same way. Repeatable.",
)
def gate(
    target: str,
    tls: bool,
    baseline: str,
    candidate: str,
    most: Sequence[pb.Threshold],
    least: Sequence[pb.Threshold],
) -> int:
    """Compare two executions; exit 0 within the limits, 1 when worse, 2 if it could not compare.

    \b
    vumeter simulation gate --target 127.0.0.1:50051 --baseline ID --candidate ID \\
        --max latency.percentiles.p95=+10% --min chat.avg_csat_score=-5%

    Without limits, any metric that got worse counts. The key is read from VUMETER_API_KEY and
    VUMETER_SECRET_KEY.
    """  # noqa: D301 - click reads the backspace
    request = pb.CompareExecutionsRequest(
        baseline_execution_id=baseline, execution_id=candidate, thresholds=[*most, *least]
    )
    with connected(target, tls=tls) as remote:
        compared = SimulationServiceStub(remote.channel).CompareExecutions(
            request, metadata=remote.metadata, timeout=CALL_TIMEOUT_SECONDS
        )
    status = _status(compared)
    click.echo(_report(compared))
    click.echo(f"\n{_SUMMARIES[status]}")
    return status


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
