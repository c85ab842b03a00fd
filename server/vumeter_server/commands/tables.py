"""Tables by rich: as plain text for the logs of a pipeline, and at a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wider than any table: rather a line that the terminal wraps than an id that is cut.
_UNLIMITED = 10_000


def text_table(rows: Sequence[Sequence[str]], *, left_columns: Sequence[int] = (0,)) -> str:
    """Return `rows` as plain text in columns two spaces apart; all but `left_columns` end flush."""
    table = _table(header=None)
    for column in range(len(rows[0])):
        table.add_column(no_wrap=True, justify="left" if column in left_columns else "right")
    _add_rows(table, rows)
    written = io.StringIO()
    Console(file=written, width=_UNLIMITED, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def print_table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """Print `rows` at a terminal, under bold names of columns."""
    table = _table(header="bold")
    for name in columns:
        table.add_column(name, no_wrap=True)
    _add_rows(table, rows)
    console = Console()
    options = console.options.update_width(_UNLIMITED)
    console.width = max(console.width, console.measure(table, options=options).maximum)
    console.print(table)


def _table(*, header: str | None) -> Table:
    return Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        show_header=header is not None,
        header_style=header or "",
    )


def _add_rows(table: Table, rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        # Not markup: a name may hold brackets.
        table.add_row(*map(Text, row))
