"""What the calls of an execution add up to, as a row of `simulation_totals`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vumeter_server.simulation.aggregation import CallTotals
from vumeter_server.simulation.model import CALL_STATUSES, NUMBER_NAMES
from vumeter_server.sqlite.library import sqlite3

_NAMES = (
    *(f"{status}_calls" for status in CALL_STATUSES),
    *(f"{name}_samples" for name in NUMBER_NAMES),
    *(f"{name}_micros" for name in NUMBER_NAMES),
)
_SAMPLES_AT = len(CALL_STATUSES)
_MICROS_AT = _SAMPLES_AT + len(NUMBER_NAMES)

COLUMNS = ", ".join(f"simulation_totals.{name}" for name in _NAMES)
COLUMN_COUNT = len(_NAMES)

_SELECT = f"SELECT {COLUMNS} FROM simulation_totals WHERE execution_key = ?"  # noqa: S608 - our names
_UPDATE = (
    f"UPDATE simulation_totals SET {', '.join(f'{name} = ?' for name in _NAMES)}"  # noqa: S608
    " WHERE execution_key = ?"
)


def from_row(row: Sequence[Any]) -> CallTotals:
    """Read the values of COLUMNS."""
    return CallTotals(
        calls=list(row[:_SAMPLES_AT]),
        samples=list(row[_SAMPLES_AT:_MICROS_AT]),
        micros=[int(value) for value in row[_MICROS_AT:]],
    )


def load(connection: sqlite3.Connection, execution_key: int) -> CallTotals:
    """Return the totals of an execution that exists."""
    return from_row(connection.execute(_SELECT, (execution_key,)).fetchone())


def save(connection: sqlite3.Connection, execution_key: int, totals: CallTotals) -> None:
    """Store the totals of an execution that exists."""
    micros = (value if value.bit_length() < 64 else str(value) for value in totals.micros)
    connection.execute(_UPDATE, (*totals.calls, *totals.samples, *micros, execution_key))
