"""`vumeter`: every command, thin.

A group of commands on one area is a module in `commands/`, named in the table below; it is imported
when it is run, so that `vumeter --help` loads none and `vumeter keys list` no server.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from vumeter_server.commands.group import LazyCommand, LazyGroup
from vumeter_server.runtime.processor import avoid_slow_sorts

COMMANDS: Mapping[str, LazyCommand] = {
    "up": LazyCommand(
        "Run server and Envoy in the foreground until Ctrl-C or SIGTERM.",
        "vumeter_server.commands.up:up",
    ),
    "serve": LazyCommand(
        "Run the gRPC server until Ctrl-C or SIGTERM.",
        "vumeter_server.commands.serve:serve",
    ),
    "dashboard": LazyCommand(
        "Print a link that opens the dashboard signed in, once and within five minutes.",
        "vumeter_server.commands.dashboard:dashboard",
    ),
    "env": LazyCommand(
        "Print variables for a shell: where the server answers, and what opens it.",
        "vumeter_server.commands.env:env",
    ),
    "keys": LazyCommand(
        "API keys; a running server honors every change within a second.",
        "vumeter_server.commands.keys:keys",
    ),
    "organizations": LazyCommand(
        "Organizations: the owners of keys, custom metrics and simulations.",
        "vumeter_server.commands.organizations:organizations",
    ),
    "limits": LazyCommand(
        "Limits: how much each organization may send and store.",
        "vumeter_server.commands.limits:limits",
    ),
    "metrics": LazyCommand(
        "Custom metrics of an organization.",
        "vumeter_server.commands.metrics:metrics",
    ),
    "points": LazyCommand(
        "Recorded points of custom metrics.",
        "vumeter_server.commands.points:points",
    ),
    "otlp": LazyCommand(
        "OpenTelemetry: how attributes become labels, and which points were rejected.",
        "vumeter_server.commands.otlp:otlp",
    ),
    "db": LazyCommand(
        "The database file.",
        "vumeter_server.commands.db:db",
    ),
    "backup": LazyCommand(
        "Copy the database to FILE, as it is at this moment, and check the copy.",
        "vumeter_server.commands.copies:backup",
    ),
    "restore": LazyCommand(
        "Make the database from FILE, a backup, and check it.",
        "vumeter_server.commands.copies:restore",
    ),
    "migrate": LazyCommand(
        "Copy everything from one store to another, and compare both.",
        "vumeter_server.commands.migrate:migrate",
    ),
    "doctor": LazyCommand(
        "Look for what is wrong with the database, the machine and the installation.",
        "vumeter_server.commands.doctor:doctor",
    ),
    "audit": LazyCommand(
        "Who changed or took away what: keys, limits, deletions, exports, retention.",
        "vumeter_server.commands.audit:audit",
    ),
    "clock": LazyCommand(
        "The machine's clock, by which old data is deleted.",
        "vumeter_server.commands.clock:clock",
    ),
    "tenants": LazyCommand(
        "Tenants of live metrics.",
        "vumeter_server.commands.tenants:tenants",
    ),
    "run-tests": LazyCommand(
        "Run tests of simulated calls.",
        "vumeter_server.commands.run_tests:run_tests",
    ),
    "simulation": LazyCommand(
        "Simulated calls: judge a run against an earlier one.",
        "vumeter_server.commands.simulation:simulation",
    ),
    "export": LazyCommand(
        "Write what was recorded to files, over gRPC.",
        "vumeter_server.commands.exports:export_group",
    ),
    "import": LazyCommand(
        "Record what files hold, over gRPC.",
        "vumeter_server.commands.imports:import_group",
    ),
}


@click.group(
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="vumeter", prog_name="vumeter")
def vumeter() -> None:
    """Metrics of voice agents over gRPC and REST, on SQLite."""


def main() -> None:
    """Run the command line; what went wrong is one line on stderr, and status 2."""
    avoid_slow_sorts()
    try:
        status = vumeter.main(prog_name="vumeter", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        command = (
            error.ctx.command_path
            if isinstance(error, click.UsageError) and error.ctx
            else "vumeter"
        )
        message = " ".join(line.strip() for line in error.format_message().splitlines())
        click.echo(f"{command}: {message}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
