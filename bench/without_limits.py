"""Recording without any limit: what it costs to keep limits is set against it.

Nothing is counted and nothing looked up that only limits are for: neither tokens of requests and
points, nor how many metrics, label sets and values of labels there are.
"""

from __future__ import annotations

from array import array
from typing import Any

from vumeter_server.access.rates import RateLimits
from vumeter_server.custom_metrics.model import Batch, LabelSet
from vumeter_server.custom_metrics.sqlite.ingest.batches import (
    Recorder,
    earlier_answer,
    keep_idempotency_key,
)
from vumeter_server.custom_metrics.sqlite.ingest.label_codes import LabelCodes, NewRows
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import SymbolTables
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits
from vumeter_server.sqlite.library import sqlite3


class RatesWithoutLimits(RateLimits):
    """Gives tokens to everybody, and keeps no bucket."""

    def take_request(self, caller: Any) -> None:
        """Do nothing."""

    def take_points(self, caller: Any, points: int) -> None:
        """Do nothing."""


class CodesWithoutLimits(LabelCodes):
    """Gives a code to every label and label set, as `LabelCodes` would if there were no limits."""

    def hold_to(self, limits: Limits) -> None:
        """Do nothing."""

    def may_exceed(self, label_sets: int) -> bool:
        """Return False."""
        return False

    def _code(self, label_set: LabelSet, new: NewRows) -> int:
        key = array("i", sorted([self._label_code(label, new) for label in label_set])).tobytes()
        code = self.series.get(key)
        if code is None:
            code = self.series[key] = len(self.series)
            new.series.append((code, key))
        return code

    def _label_code(self, label: tuple[str, str], new: NewRows) -> int:
        code = self.labels.get(label)
        if code is None:
            code = self.labels[label] = len(self.labels)
            new.labels.append((code, *label))
        return code


class RecorderWithoutLimits(Recorder):
    """Records as `Recorder` does, whatever the limits."""

    def record(
        self,
        connection: sqlite3.Connection,
        organization_id: int,
        batch: Batch,
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> int:
        """Store a batch."""
        if idempotency is not None:
            earlier = earlier_answer(connection, organization_id, idempotency)
            if earlier is not None:
                return earlier
        symbols = self.symbols_of(connection, organization_id)
        metrics = symbols.metrics
        known = {name: metrics[name][1] for name in batch.names if name in metrics}
        settled = settle(batch, known, now_us)
        self.write(connection, symbols, settled, limits)
        if idempotency is not None:
            keep_idempotency_key(connection, organization_id, idempotency, len(batch), now_us)
        return len(batch)

    def symbols_of(self, connection: sqlite3.Connection, organization_id: int) -> SymbolTables:
        """Return the symbol tables, with codes that are not limited."""
        symbols = super().symbols_of(connection, organization_id)
        known = symbols.label_codes
        if not isinstance(known, CodesWithoutLimits):
            symbols.label_codes = CodesWithoutLimits(labels=known.labels, series=known.series)
        return symbols
