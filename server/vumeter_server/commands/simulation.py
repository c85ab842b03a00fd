"""`vumeter simulation`: what a pipeline asks about simulated calls."""

from __future__ import annotations

from collections.abc import Sequence

import click

from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import remote_options
from vumeter_server.commands.remote_tls import RemoteTls
from vumeter_server.commands.simulation_limits import Gate, Limit, LimitType, ToleranceType


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
    tls: RemoteTls | None,
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
