"""`vumeter`: every command, thin.

A group of commands on one area is a module in `commands/`, named in the table below; it is imported
when it is called, so that `vumeter keys list` need not load a server.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

COMMANDS: Mapping[str, str] = {
    "up": "vumeter_server.commands.up:up",
    "serve": "vumeter_server.commands.serve:serve",
    "keys": "vumeter_server.commands.keys:keys",
    "organizations": "vumeter_server.commands.organizations:organizations",
    "limits": "vumeter_server.commands.limits:limits",
    "metrics": "vumeter_server.commands.metrics:metrics",
    "points": "vumeter_server.commands.points:points",
    "otlp": "vumeter_server.commands.otlp:otlp",
    "db": "vumeter_server.commands.db:db",
    "clock": "vumeter_server.commands.clock:clock",
    "tenants": "vumeter_server.commands.tenants:tenants",
    "run-tests": "vumeter_server.commands.run_tests:run_tests",
    "simulation": "vumeter_server.commands.simulation:simulation",
    "export": "vumeter_server.commands.exports:export_group",
    "import": "vumeter_server.commands.imports:import_group",
}


class CommandTable(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None


@click.group(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vumeter", prog_name="vumeter")
def vumeter() -> None:
    """Metrics of voice agents over gRPC and REST, on SQLite."""


def main() -> None:
    """Run the command line; what went wrong is one line on stderr, and status 2."""
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
