"""The rows of an entry that is about to be appended, and the block that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.clickhouse.rows import (
    LOG,
    ROWS_OF_ENTRY,
    VALUES_OF_ROWS,
    HeldRow,
    LiveRowKind,
    StoredEvent,
)
from vumeter_server.live_metrics.marks import Mark, MinutesReport


class MarkRow(NamedTuple):
    """A mark that is added or taken back; `received_us` is NEVER_US for those of calls."""

    tenant_id: str
    call_no: int
    sign: int
    received_us: int
    mark: Mark


@dataclass(kw_only=True, slots=True, eq=False)
class LiveEntry:
    """The rows of an entry that is about to be appended."""

    seq: int
    held: dict[tuple[LiveRowKind, str, int], HeldRow] = field(default_factory=dict)
    events: list[StoredEvent] = field(default_factory=list)
    marks: list[MarkRow] = field(default_factory=list)
    reports: dict[tuple[str, int, int], int | None] = field(default_factory=dict)
    """Minutes in milliseconds by call id, call number and time; None if it is taken back."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to append."""
        return not (self.held or self.events)

    def hold(self, kind: LiveRowKind, name: str, at: int, value: Any) -> None:
        """Add a row that each server holds, in place of one with the same key."""
        self.held[kind, name, at] = HeldRow(kind, name, at, self.seq, value)

    def report(self, call_id: str, call_no: int, reports: Sequence[MinutesReport]) -> None:
        """Add reports."""
        self.reports |= {(call_id, call_no, each.us): each.minutes_ms for each in reports}

    def take_back(self, call_id: str, call_no: int, reports: Sequence[MinutesReport]) -> None:
        """Take reports back."""
        self.reports |= dict.fromkeys((call_id, call_no, each.us) for each in reports)

    def block(self) -> pa.Table:
        """Return them as a block, without the columns that `entry_log` adds."""
        first = self.seq * ROWS_OF_ENTRY
        parts = [
            _entry(self.seq),
            _held(list(self.held.values())),
            _events(self.events),
            _marks(self.marks, first),
            _reports(self.reports),
        ]
        counts = [len(each["kind"]) for each in parts]
        return pa.table(
            {
                name: pa.chunked_array(
                    [
                        pa.array(part[name], type_)
                        if name in part
                        else pa.array([default] * count, type_)
                        for part, count in zip(parts, counts, strict=True)
                    ],
                    type_,
                )
                for name, (type_, default) in _COLUMNS.items()
            }
        )


_COLUMNS: Final[Mapping[str, tuple[pa.DataType, Any]]] = {
    "log": (pa.int64(), LOG),
    "kind": (pa.uint8(), 0),
    **dict.fromkeys(("name", "tenant", "call", "payload"), (pa.string(), "")),
    **dict.fromkeys(
        ("at", "part", "call_no", "place", "received_us", "occurred_us", "amount"), (pa.int64(), 0)
    ),
    **dict.fromkeys(
        ("is_deleted", "type", "reason", "outcome", "stage", "counter"), (pa.uint8(), 0)
    ),
    "sign": (pa.int8(), 0),
    "minutes": (pa.float64(), None),
    "sequence": (pa.int64(), None),
}
_Columns = dict[str, list[Any]]


def _entry(seq: int) -> _Columns:
    return {"kind": [LiveRowKind.ENTRY], "at": [seq]}


def _held(rows: Sequence[HeldRow]) -> _Columns:
    calls = [row.value if isinstance(row.value, CallState) else None for row in rows]
    is_of_call = [row.kind in (LiveRowKind.CALL, LiveRowKind.GONE_CALL) for row in rows]
    return {
        "kind": [int(row.kind) for row in rows],
        "name": [row.name for row in rows],
        "at": [row.at for row in rows],
        "call_no": [
            row.at if of_call else 0 for row, of_call in zip(rows, is_of_call, strict=True)
        ],
        "is_deleted": [int(row.value is None and row.kind in VALUES_OF_ROWS) for row in rows],
        "tenant": ["" if call is None else call.tenant_id for call in calls],
        "stage": [0 if call is None else int(call.stage) for call in calls],
        "received_us": [0 if call is None else call.last_received_us for call in calls],
        "payload": [
            "" if row.value is None else msgspec.json.encode(row.value).decode() for row in rows
        ],
    }


def _events(events: Sequence[StoredEvent]) -> _Columns:
    return {
        "kind": [int(LiveRowKind.EVENT)] * len(events),
        "name": [each.event.event_id for each in events],
        "call_no": [each.call_no for each in events],
        "received_us": [each.received_us for each in events],
        "place": [each.place for each in events],
        "tenant": [each.event.tenant_id for each in events],
        "type": [int(each.event.type) for each in events],
        "call": [each.event.call_id or "" for each in events],
        "occurred_us": [each.event.occurred_us for each in events],
        "reason": [each.event.reason or 0 for each in events],
        "outcome": [each.event.outcome or 0 for each in events],
        "minutes": [each.event.minutes for each in events],
        "sequence": [each.event.sequence for each in events],
    }


def _marks(rows: Sequence[MarkRow], first: int) -> _Columns:
    return {
        "kind": [int(LiveRowKind.MARK)] * len(rows),
        "name": [row.tenant_id for row in rows],
        "at": [row.mark.us for row in rows],
        "part": [first + index for index in range(len(rows))],
        "call_no": [row.call_no for row in rows],
        "received_us": [row.received_us for row in rows],
        "counter": [int(row.mark.kind) for row in rows],
        "sign": [row.sign for row in rows],
        "amount": [row.mark.amount for row in rows],
    }


def _reports(reports: Mapping[tuple[str, int, int], int | None]) -> _Columns:
    return {
        "kind": [int(LiveRowKind.REPORT)] * len(reports),
        "name": [call_id for call_id, _, _ in reports],
        "at": [us for _, _, us in reports],
        "part": [call_no for _, call_no, _ in reports],
        "call_no": [call_no for _, call_no, _ in reports],
        "is_deleted": [int(minutes_ms is None) for minutes_ms in reports.values()],
        "amount": [minutes_ms or 0 for minutes_ms in reports.values()],
    }
