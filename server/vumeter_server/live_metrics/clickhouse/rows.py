"""The rows of the table `live_metrics`: what an entry of the log says, as it is inserted and read.

The key of a row is (kind, name, at, part); of several with one key the last entry's counts. A place
is the number of an entry with the position of a row in it: it grows with every event and call. The
place of a call's first event is the call's number: a call that is recorded again after it was
dropped has another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.model import CallOutcome, Event, EventType, RejectionReason

TABLE: Final = "live_metrics"
LOG: Final = 0
ROWS_OF_ENTRY: Final = 1 << 20
"""More than the rows of one kind that an entry has."""
NEVER_US: Final = 1 << 62


class LiveRowKind(IntEnum):
    """What a row is of; the numbers are stored. `name` and `at` are said for each."""

    ENTRY = 0
    """An entry: "", its number."""
    EVENT = 1
    """An event as it was reported: its id, 0."""
    CALL = 2
    """A call: its id, its number."""
    REPORT = 3
    """A report that raised the minutes of a call: the call's id, when; `part` is its number."""
    MARK = 4
    """Where something counts in history: its tenant, when; `part` is the row's place. `sign` is 1
    if the mark is added, -1 if it is taken back."""
    TENANT = 5
    """A tenant: its id, 0."""
    TOTALS = 6
    """The totals of a tenant: its id, the epoch's number."""
    EPOCH = 7
    """The current service start (epoch)."""
    RETENTION = 8
    """Events that were received before `amount`, in earlier entries, are dropped."""
    DELETION = 9
    """A tenant whose rows of entries up to this one do not count: its id, 0. It is taken back when
    they are gone."""
    GONE_CALL = 10
    """A call that was dropped or deleted: its id, its number. No row of that number counts."""
    REMOVAL = 11
    """Rows that said what is gone may be missing, of entries up to a number: "", 0. Whoever has not
    read these entries reads everything again."""


class TenantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a tenant; times in microseconds."""

    last_occurred_us: int | None = None
    last_received_us: int | None = None
    max_concurrent_calls: int | None = None


class EpochRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A start of the service, and from when on things count in its totals."""

    number: int
    id: str
    counted_from_us: int


class HeldRow(NamedTuple):
    """A row that each server holds in memory."""

    kind: LiveRowKind
    name: str
    at: int
    seq: int
    value: Any
    """CallState, TenantRecord, Counters, EpochRecord, the microseconds of RETENTION, the
    entry's number of REMOVAL, or 1. None where there is nothing to say, or nothing any more."""


VALUES_OF_ROWS: Final[Mapping[LiveRowKind, Any]] = {
    LiveRowKind.CALL: CallState,
    LiveRowKind.TENANT: TenantRecord,
    LiveRowKind.TOTALS: tuple[int, ...],
    LiveRowKind.EPOCH: EpochRecord,
    LiveRowKind.RETENTION: int,
    LiveRowKind.DELETION: int,
    LiveRowKind.REMOVAL: int,
}
_DECODERS: Final = {kind: msgspec.json.Decoder(type_) for kind, type_ in VALUES_OF_ROWS.items()}
HELD: Final = (*VALUES_OF_ROWS, LiveRowKind.GONE_CALL)
HELD_COLUMNS: Final = "kind, name, at, seq, is_deleted, payload"


def read_held(table: pa.Table) -> list[HeldRow]:
    """Return rows of HELD_COLUMNS."""
    columns = (table.column(name).to_pylist() for name in HELD_COLUMNS.split(", "))
    return [
        HeldRow(
            LiveRowKind(kind),
            name,
            at,
            seq,
            None if is_deleted or not payload else _DECODERS[LiveRowKind(kind)].decode(payload),
        )
        for kind, name, at, seq, is_deleted, payload in zip(*columns, strict=True)
    ]


class KnownCall(NamedTuple):
    """A call and its number."""

    call_no: int
    call: CallState


EVENT_COLUMNS: Final = (
    "name, type, tenant, occurred_us, call, reason, outcome, minutes, sequence, call_no,"
    " received_us, seq, place"
)


class StoredEvent(NamedTuple):
    """An event as it is stored."""

    event: Event
    call_no: int
    received_us: int
    seq: int
    place: int


def read_events(table: pa.Table) -> list[StoredEvent]:
    """Return rows of EVENT_COLUMNS."""
    return [
        StoredEvent(
            Event(
                event_id=row["name"],
                type=EventType(row["type"]),
                tenant_id=row["tenant"],
                occurred_us=row["occurred_us"],
                call_id=row["call"] if row["call_no"] else None,
                reason=RejectionReason(row["reason"]) if row["reason"] else None,
                outcome=CallOutcome(row["outcome"]) if row["outcome"] else None,
                minutes=row["minutes"],
                sequence=row["sequence"],
            ),
            row["call_no"],
            row["received_us"],
            row["seq"],
            row["place"],
        )
        for row in table.to_pylist()
    ]
