"""What administrative commands print: JSON for programs, tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
import orjson

from vumeter_server.times.rfc3339 import format_rfc3339

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Row = Mapping[str, Any]

format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print.",
)


def time_text(instant_us: int | None) -> str | None:
    """Print an instant in UTC to the second; None stays None."""
    return None if instant_us is None else format_rfc3339(instant_us, decimals=0)


def print_record(record: Row, output_format: str) -> None:
    """Print one record: a line per field, or a JSON object."""
    if output_format == "json":
        _print_json(record)
        return
    from vumeter_server.commands.tables import text_table  # noqa: PLC0415 - see print_rows

    rows = [(name, _text(value)) for name, value in record.items()]
    click.echo(text_table(rows, left_columns=(0, 1)))


def print_rows(rows: Sequence[Row], columns: Sequence[str], output_format: str) -> None:
    """Print rows: a table at a terminal, else lines with tabs; or a JSON array of objects."""
    if output_format == "json":
        _print_json(rows)
        return
    cells = [[_text(row[name]) for name in columns] for row in rows]
    if sys.stdout.isatty():
        # Rich takes longer to load than most commands take; programs that read JSON or tabs do not
        # wait for it.
        from vumeter_server.commands.tables import print_table  # noqa: PLC0415

        print_table(cells, columns)
    else:
        for line in (columns, *cells):
            click.echo("\t".join(line))


def _print_json(value: Any) -> None:
    click.echo(orjson.dumps(value).decode())


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
