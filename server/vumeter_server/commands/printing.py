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
    """Print one record: a line a field, or a JSON object."""
    if output_format == "json":
        _print_json(record)
        return
    width = max(map(len, record))
    for name, value in record.items():
        click.echo(f"{name:{width}}  {_text(value)}")


def print_rows(rows: Sequence[Row], columns: Sequence[str], output_format: str) -> None:
    """Print rows: a table at a terminal, else lines with tabs; or a JSON array of objects."""
    if output_format == "json":
        _print_json(rows)
    elif sys.stdout.isatty():
        _print_table(rows, columns)
    else:
        for cells in (columns, *([_text(row[name]) for name in columns] for row in rows)):
            click.echo("\t".join(cells))


def _print_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - needed at a terminal alone
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=True)
    for row in rows:
        # Not markup: a name may hold brackets.
        table.add_row(*(Text(_text(row[name])) for name in columns))
    console = Console()
    # What is listed is there to be copied: rather a line that the terminal breaks than a cut id.
    unlimited = console.options.update_width(10_000)
    console.width = max(console.width, console.measure(table, options=unlimited).maximum)
    console.print(table)


def _print_json(value: Any) -> None:
    click.echo(orjson.dumps(value).decode())


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
