"""Percentiles that were computed once: cached by a process, and saved in `simulation_totals`.

An execution's `latency_revision` grows with each change of a latency, so percentiles are valid
for as long as the revision is the one that they were computed from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# What `simulation_totals` has columns for. Any other percentile is computed and cached by each
# process, so that a new documented one works before a migration gives it a column.
SAVED_COLUMNS = {50.0: "p50", 95.0: "p95", 99.0: "p99"}
# Of so many executions; each takes about 500 bytes.
MAX_CACHED_EXECUTIONS = 10_000

Percentiles = Sequence[tuple[float, float]]

_SAVE = (
    "UPDATE simulation_totals SET kept_revision = ?,"  # noqa: S608 - our names
    f" {', '.join(f'{column} = ?' for column in SAVED_COLUMNS.values())}"
    " WHERE execution_key = ? AND latency_revision = ?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputedPercentiles:
    """The documented percentiles of an execution, and which state they were computed from.

    `values` are (percentile, value); empty when no call reported a latency.
    """

    execution_key: int
    latency_revision: int
    values: Percentiles


class PercentileCache:
    """The percentiles that this process computed, and which of them are not saved yet.

    Reader threads look up while the event loop adds; both are single steps of a dict.
    """

    def __init__(self) -> None:
        self._by_execution: dict[int, ComputedPercentiles] = {}
        self._unsaved: dict[int, ComputedPercentiles] = {}

    def find(self, execution_key: int, latency_revision: int) -> ComputedPercentiles | None:
        """Return what was computed from this state of an execution."""
        found = self._by_execution.get(execution_key)
        return found if found and found.latency_revision == latency_revision else None

    def add(self, computed: Iterable[ComputedPercentiles]) -> None:
        """Cache percentiles in place of older ones; the oldest make room."""
        for each in computed:
            self._by_execution.pop(each.execution_key, None)
            self._by_execution[each.execution_key] = each
            self._unsaved[each.execution_key] = each
        while len(self._by_execution) > MAX_CACHED_EXECUTIONS:
            oldest = next(iter(self._by_execution))
            del self._by_execution[oldest]
            self._unsaved.pop(oldest, None)

    def unsaved(self) -> Sequence[ComputedPercentiles]:
        """Return what is not saved yet."""
        return list(self._unsaved.values())

    def note_saved(self, computed: Iterable[ComputedPercentiles]) -> None:
        """Note that these are saved; what was computed meanwhile goes on waiting."""
        for each in computed:
            if self._unsaved.get(each.execution_key) is each:
                del self._unsaved[each.execution_key]


def from_columns(wanted: Sequence[float], values: Sequence[float | None]) -> Percentiles | None:
    """Return the wanted percentiles from the values of SAVED_COLUMNS, None if they lack one.

    Without any latency the columns are null, and the answer is empty.
    """
    if values[0] is None:
        return ()
    by_percentile = dict(zip(SAVED_COLUMNS, values, strict=True))
    found = [(each, by_percentile.get(each)) for each in wanted]
    complete = [(percentile, value) for percentile, value in found if value is not None]
    return tuple(complete) if len(complete) == len(found) else None


def save(connection: sqlite3.Connection, computed: ComputedPercentiles) -> None:
    """Save percentiles with the state that they were computed from; never over a newer one."""
    by_percentile = dict(computed.values)
    if by_percentile and not SAVED_COLUMNS.keys() <= by_percentile.keys():
        return
    connection.execute(
        _SAVE,
        (
            computed.latency_revision,
            *(by_percentile.get(percentile) for percentile in SAVED_COLUMNS),
            computed.execution_key,
            computed.latency_revision,
        ),
    )
