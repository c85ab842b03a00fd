"""Records what exporters send, in jobs of the one writer.

Owns the table `exported_series` and the columns `unit` and `description` of `metrics`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Mapping

from vumeter_server.custom_metrics.exported import (
    ExportedBatch,
    ExportOutcome,
    KnownMetric,
    RoomForMetrics,
)
from vumeter_server.custom_metrics.increments import SeriesStates
from vumeter_server.custom_metrics.settle_exported import STATES_KEPT_US, settle_exported
from vumeter_server.custom_metrics.sqlite.formats.series_states import (
    decode_states,
    encode_states,
)
from vumeter_server.custom_metrics.sqlite.ingest.batches import (
    Recorder,
    earlier_answer,
    keep_idempotency_key,
)
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import MAX_METRICS, SymbolTables
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.runtime.limits import Limits
from vumeter_server.sqlite.library import sqlite3

# How many series of all organizations are cached, at about 300 bytes.
MAX_SERIES_CACHED = 200_000
# Of how many metrics of an organization units and descriptions are cached.
MAX_DESCRIBED_CACHED = 1_000

_Unit = tuple[int, bytes, str]


class ExportRecorder:
    """Records exported batches; everything here runs in the writer's thread."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._states: OrderedDict[_Unit, SeriesStates] = OrderedDict()
        self._series = 0

    def record(
        self,
        connection: sqlite3.Connection,
        organization_id: int,
        batch: ExportedBatch,
        *,
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits,
    ) -> ExportOutcome:
        """Store what `settle_exported` makes of a batch; nothing if it was stored before."""
        if idempotency is not None:
            earlier = earlier_answer(connection, organization_id, idempotency)
            if earlier is not None:
                return ExportOutcome(taken=earlier, is_repeat=True)
        symbols = self._recorder.symbols_of(connection, organization_id)
        used: dict[_Unit, SeriesStates] = {}

        def find_states(stream: bytes, metric_name: str) -> SeriesStates:
            unit = (organization_id, stream, metric_name)
            if unit not in used:
                used[unit] = self._read_states(connection, unit)
            return used[unit]

        names = {metric.name for metric in batch.metrics}
        export = settle_exported(
            batch,
            _known(connection, symbols, names),
            find_states,
            now_us,
            room=_room(connection, symbols, names, limits),
        )
        if len(export.settled.values):
            self._recorder.write(connection, symbols, export.settled, limits)
        _describe(connection, symbols, export.described)
        for unit, states in used.items():
            self._write_states(connection, unit, states, now_us)
        self._forget_oldest()
        if idempotency is not None:
            keep_idempotency_key(connection, organization_id, idempotency, export.taken, now_us)
        notes = {note.name.lower(): count for note, count in export.notes.items()}
        return ExportOutcome(
            taken=export.taken, rejected=export.rejected, notes=notes | {"unit": export.other_units}
        )

    def forget(self, organization_id: int) -> None:
        """Throw away what is known of an organization, because the file does not say so."""
        self._recorder.forget(organization_id)
        for unit in [each for each in self._states if each[0] == organization_id]:
            self._series -= len(self._states.pop(unit))

    def drop_old_series(self, connection: sqlite3.Connection, before_us: int, at_most: int) -> int:
        """Drop the states of series that had no point since; return how many rows."""
        dropped = connection.execute(
            "DELETE FROM exported_series WHERE rowid IN ("
            " SELECT rowid FROM exported_series WHERE updated_us < ? LIMIT ?)"
            " RETURNING organization_id, stream, metric_name",
            (before_us, at_most),
        ).fetchall()
        for unit in dropped:
            states = self._states.pop(tuple(unit), None)
            self._series -= len(states or ())
        return len(dropped)

    def _read_states(self, connection: sqlite3.Connection, unit: _Unit) -> SeriesStates:
        known = self._states.pop(unit, None)
        if known is not None:
            self._series -= len(known)
            return known
        row = connection.execute(
            "SELECT states FROM exported_series"
            " WHERE organization_id = ? AND stream = ? AND metric_name = ?",
            unit,
        ).fetchone()
        return SeriesStates() if row is None else decode_states(row[0])

    def _write_states(
        self, connection: sqlite3.Connection, unit: _Unit, states: SeriesStates, now_us: int
    ) -> None:
        states.forget((now_us - STATES_KEPT_US) * 1_000)
        connection.execute(
            "INSERT OR REPLACE INTO exported_series"
            " (organization_id, stream, metric_name, states, updated_us) VALUES (?, ?, ?, ?, ?)",
            (*unit, encode_states(states), now_us),
        )
        self._states[unit] = states
        self._series += len(states)

    def _forget_oldest(self) -> None:
        while self._series > MAX_SERIES_CACHED:
            _, states = self._states.popitem(last=False)
            self._series -= len(states)


def _known(
    connection: sqlite3.Connection, symbols: SymbolTables, names: Collection[str]
) -> dict[str, KnownMetric]:
    """Return what is stored of some metrics."""
    cached = symbols.described
    found = {name: cached[name] for name in names if name in cached}
    others = [name for name in names if name in symbols.metrics and name not in found]
    if others:
        read = _read_known(connection, symbols, others)
        if len(cached) + len(read) > MAX_DESCRIBED_CACHED:
            cached.clear()
        if len(read) <= MAX_DESCRIBED_CACHED:
            cached |= read
        found |= read
    return found


def _read_known(
    connection: sqlite3.Connection, symbols: SymbolTables, names: Collection[str]
) -> dict[str, KnownMetric]:
    found = {name: symbols.metrics[name] for name in names}
    described = {
        code: (unit, description)
        for code, unit, description in connection.execute(
            "SELECT metric_code, unit, description FROM metrics WHERE organization_id = ?"
            " AND metric_code IN (SELECT value FROM json_each(?))",
            (symbols.organization_id, json.dumps([code for code, _ in found.values()])),
        )
    }
    return {name: KnownMetric(of, *described[code]) for name, (code, of) in found.items()}


def _room(
    connection: sqlite3.Connection, symbols: SymbolTables, names: Collection[str], limits: Limits
) -> RoomForMetrics:
    """Return how many metrics there may be more, by the limit and by what can be stored."""
    storable = MAX_METRICS - symbols.state.metrics
    if len(symbols.metrics) + len(names) <= limits.metrics:
        return RoomForMetrics(left=storable)
    unused = symbols.find_unused(connection).metrics
    return RoomForMetrics(
        left=min(storable, limits.metrics - len(symbols.metrics) + len(unused)),
        pointless={
            name for name in names if name in symbols.metrics and symbols.metrics[name][0] in unused
        },
    )


def _describe(
    connection: sqlite3.Connection, symbols: SymbolTables, described: Mapping[str, KnownMetric]
) -> None:
    connection.executemany(
        "UPDATE metrics SET unit = ?, description = ?"
        " WHERE organization_id = ? AND metric_code = ?",
        [
            (each.unit, each.description, symbols.organization_id, symbols.metrics[name][0])
            for name, each in described.items()
        ],
    )
    # They are read again.
    for name in described:
        symbols.described.pop(name, None)
