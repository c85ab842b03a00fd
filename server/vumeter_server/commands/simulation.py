"""`vumeter simulation`: what a pipeline asks about simulated calls."""

from __future__ import annotations

from collections.abc import Sequence

import click

from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import remote_options
from vumeter_server.commands.remote_tls import RemoteTls
from vumeter_server.commands.simulation_limits import Limit, LimitType


@click.group(cls=CommandGroup)
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
    tls: RemoteTls | None,
    baseline: str,
    candidate: str,
    most: Sequence[Limit],
    least: Sequence[Limit],
) -> int:
    """Compare two executions; exit 0 within the limits, 1 when worse, 2 if it could not compare.

    \b
    vumeter simulation gate --target 127.0.0.1:50051 --baseline ID --candidate ID \\
        --max latency.percentiles.p95=+10% --min chat.avg_csat_score=-5%

    Without limits, any metric that got worse counts. The key is read from VUMETER_API_KEY and
    VUMETER_SECRET_KEY.
    """  # noqa: D301 - click reads the backspace
    # gRPC is loaded by the command, not by its help.
    from vumeter_server.commands.simulation_gate import run_gate  # noqa: PLC0415

    return run_gate(target, tls=tls, baseline=baseline, candidate=candidate, limits=[*most, *least])
