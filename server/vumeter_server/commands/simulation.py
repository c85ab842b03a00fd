"""`vumeter simulation`: what a pipeline asks about simulated calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click

from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import remote_options

PREVIOUS = "previous"
_LIMIT = re.compile(r"(?P<sign>[+-]?)(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<percent>%?)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A limit as written: `bound` is the field of the proto's Threshold that it stands for."""

    metric: str
    bound: str
    number: float


class LimitType(click.ParamType[Limit]):
    """METRIC=LIMIT, where LIMIT is `+10%`, `-5%`, `+150`, or a value such as `3500`."""

    name = "METRIC=LIMIT"

    def __init__(self, side: str) -> None:
        self._side = side

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Limit:
        """Return the threshold that the text stands for."""
        if isinstance(value, Limit):
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
        return Limit(metric=metric, bound=f"{self._side}_{kind}", number=number)


class ToleranceType(click.ParamType["float | None"]):
    """`chance`, which is None, or a percentage such as `5%`."""

    name = "chance|PERCENT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Return the percentage."""
        if value == "chance":
            return None
        read = _LIMIT.fullmatch(str(value))
        if read is None or read["sign"] or not read["percent"]:
            self.fail(f"{value} is neither chance nor a percentage such as 5%", param, ctx)
        return float(read["number"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What a gate is to judge, and how.

    Attributes:
        baseline: an execution, or PREVIOUS for the one before the candidate.
        candidate: an execution; None for the newest of the run test.
        run_test: the run test of the candidate; None for whichever it belongs to.
        limits: what the candidate has to keep; none for what `tolerance` says.
        tolerance: by how many percent each metric may be worse; None for what chance explains.
        output_format: `text`, `json` or `markdown`.
    """

    baseline: str
    candidate: str | None
    run_test: str | None
    limits: Sequence[Limit]
    tolerance: float | None
    output_format: str


@click.group(cls=CommandGroup)
def simulation() -> None:
    """Simulated calls: judge a run against an earlier one."""


@simulation.command()
@remote_options
@click.option(
    "--baseline",
    required=True,
    metavar="ID|previous",
    help="Execution to compare against. 'previous': the one before the candidate in its run test.",
)
@click.option(
    "--candidate",
    metavar="ID",
    help="Execution to judge. [default: the newest of --run-test]",
)
@click.option("--run-test", metavar="NAME", help="Run test of the candidate.")
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
@click.option(
    "--tolerance",
    type=ToleranceType(),
    default="chance",
    show_default=True,
    help="Without limits: how much worse a metric may be. 'chance': 5%, or more where calls vary"
    " more.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print; markdown is for a comment.",
)
def gate(
    target: str,
    tls: bool,
    baseline: str,
    candidate: str | None,
    run_test: str | None,
    most: Sequence[Limit],
    least: Sequence[Limit],
    tolerance: float | None,
    output_format: str,
) -> int:
    """Compare two executions; exit 0 within the limits, 1 when worse, 2 if it could not compare.

    \b
    vumeter simulation gate --run-test NAME --baseline previous \\
        --max latency.percentiles.p95=+10% --max cost.total_cost_cents=+5% --max calls.failed=0

    Without limits, each metric may be worse by as much as chance explains. The key is read from
    VUMETER_API_KEY and VUMETER_SECRET_KEY.
    """  # noqa: D301 - click reads the backspace
    if candidate is None and run_test is None:
        raise click.UsageError("Missing option '--candidate', or '--run-test' for its newest.")
    if tolerance is not None and (most or least):
        raise click.UsageError("'--tolerance' is for a gate without '--max' and '--min'.")
    # gRPC is loaded by the command, not by its help.
    from vumeter_server.commands.simulation_gate import run_gate  # noqa: PLC0415

    asked = Gate(
        baseline=baseline,
        candidate=candidate,
        run_test=run_test,
        limits=[*most, *least],
        tolerance=tolerance,
        output_format=output_format,
    )
    return run_gate(target, tls=tls, gate=asked)
