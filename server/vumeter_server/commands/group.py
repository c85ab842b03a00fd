"""Groups of commands: whole summaries in their help, and commands that are imported late."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class CommandGroup(click.Group):
    """A group that lists the whole summary of each command."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, which are wrapped and never cut."""
        rows = [(name, self.summary(ctx, name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so, for the shell; no command is imported."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - help does without it

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [
            *(CompletionItem(name, help=self.summary(ctx, name)) for name in names),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def summary(self, ctx: click.Context, name: str) -> str:
        """Return the first sentence of a command's help."""
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(limit=1_000)


class LazyCommand(NamedTuple):
    """A command of which the help of its group knows only the summary."""

    summary: str
    place: str
    """`module:attribute`."""


class LazyGroup(CommandGroup):
    """A group whose commands are imported when they are run."""

    def __init__(
        self, *args: Any, commands_by_name: Mapping[str, LazyCommand], **kwargs: Any
    ) -> None:
        """Take the commands by name, in the order in which they are listed."""
        super().__init__(*args, **kwargs)
        self._commands_by_name = commands_by_name

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        if cmd_name not in self._commands_by_name:
            return None
        module, _, attribute = self._commands_by_name[cmd_name].place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; a wrong name fails with those that are near."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            names = self._commands_by_name
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=names, ctx=ctx
            ) from None

    def summary(self, ctx: click.Context, name: str) -> str:
        """Return the summary in the table."""
        return self._commands_by_name[name].summary
