"""Writes batches into the log, in jobs of the one writer."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from vumeter_server.custom_metrics.model import Batch, Settled
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT, encode_batch
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import (
    NO_CODE,
    SymbolTables,
    read_state,
    write_state,
)
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.errors import Conflict, Violation
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import check_not_deleted

# What the symbols of all organizations may hold together, in entries of about 200 bytes.
MAX_ENTRIES = 2_000_000


class Recorder:
    """Records batches; everything here runs in the writer's thread."""

    def __init__(self) -> None:
        self._organizations: OrderedDict[int, SymbolTables] = OrderedDict()

    def record(
        self,
        connection: sqlite3.Connection,
        organization_id: int,
        batch: Batch,
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> int:
        """Store a batch and return how many points it held; see MetricStore.record."""
        if idempotency is not None:
            earlier = earlier_answer(connection, organization_id, idempotency)
            if earlier is not None:
                return earlier
        symbols = self.symbols_of(connection, organization_id)
        metrics = symbols.metrics
        known = {name: metrics[name][1] for name in batch.names if name in metrics}
        settled = settle(batch, known, now_us)
        symbols.keep_limits(connection, settled, limits)
        self.write(connection, symbols, settled, limits)
        if idempotency is not None:
            keep_idempotency_key(connection, organization_id, idempotency, len(batch), now_us)
        return len(batch)

    def forget(self, organization_id: int) -> None:
        """Throw away what is known of an organization, because the file does not say so."""
        self._organizations.pop(organization_id, None)

    def forget_sessions(self, organization_id: int) -> None:
        """Throw away which sessions are known of an organization, because some are dropped."""
        known = self._organizations.get(organization_id)
        if known is not None:
            known.sessions.clear()

    def symbols_of(self, connection: sqlite3.Connection, organization_id: int) -> SymbolTables:
        """Return the symbol tables of an organization, as the file has them.

        Raises Unauthenticated if the organization is deleted.
        """
        check_not_deleted(connection, organization_id)
        known = self._organizations.get(organization_id)
        # Commands and flushes change the state too.
        state = read_state(connection, organization_id)
        if known is None or known.state.deletions != state.deletions:
            known = SymbolTables.read(connection, organization_id)
            entries = sum(each.entries for each in self._organizations.values())
            while self._organizations and entries > MAX_ENTRIES:
                entries -= self._organizations.popitem(last=False)[1].entries
            self._organizations[organization_id] = known
        elif known.state.deleted_through != state.deleted_through:
            known.forget_unused()
        known.state = state
        self._organizations.move_to_end(organization_id)
        return known

    @staticmethod
    def write(
        connection: sqlite3.Connection, symbols: SymbolTables, settled: Settled, limits: Limits
    ) -> None:
        """Append a batch to the log; labels beyond the limits become `limits.OTHER`."""
        batch, state = settled.batch, symbols.state
        symbols.label_codes.hold_to(limits)
        # First, since it may find out what was unused until now: the batch's metrics among it.
        series = symbols.series_codes(connection, batch.label_sets)
        metrics = symbols.metric_codes(connection, batch.names, settled.new_types)
        sessions = symbols.session_codes(connection, batch.sessions)
        points = np.empty(len(batch), POINT)
        points["metric"] = metrics[batch.name_indexes]
        points["series"] = series[batch.label_set_indexes]
        points["session"] = np.append(sessions, np.int32(NO_CODE))[batch.session_indexes]
        points["time_us"] = settled.times_us
        points["value"] = settled.values
        if batch.distributions is not None:
            symbols.mark_distributions(connection, points["metric"][batch.distributions.positions])
        connection.execute(
            "INSERT INTO metric_batches (organization_id, batch_number, points, columns)"
            " VALUES (?, ?, ?, ?)",
            (
                symbols.organization_id,
                state.next_batch,
                len(batch),
                encode_batch(points, batch.distributions),
            ),
        )
        state.next_batch += 1
        write_state(connection, symbols.organization_id, state)


def earlier_answer(
    connection: sqlite3.Connection, organization_id: int, idempotency: Idempotency
) -> int | None:
    """Return what the first call with this key was answered, None if there was none.

    Raises Conflict if that call had other content.
    """
    row = connection.execute(
        "SELECT content_sha256, recorded FROM idempotency_keys"
        " WHERE organization_id = ? AND idempotency_key = ?",
        (organization_id, idempotency.key),
    ).fetchone()
    if row is None:
        return None
    if row[0] != idempotency.content_sha256:
        raise Conflict(
            violations=[
                Violation(field="idempotency_key", problem="was used before with other content")
            ]
        )
    return int(row[1])


def keep_idempotency_key(
    connection: sqlite3.Connection,
    organization_id: int,
    idempotency: Idempotency,
    recorded: int,
    now_us: int,
) -> None:
    """Keep what a call with this key was answered."""
    connection.execute(
        "INSERT INTO idempotency_keys"
        " (organization_id, idempotency_key, content_sha256, recorded, created_us)"
        " VALUES (?, ?, ?, ?, ?)",
        (organization_id, idempotency.key, idempotency.content_sha256, recorded, now_us),
    )
