"""The rows of live metrics: calls and tenants as stored, and the statements for them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from vumeter_server.live_metrics.call_state import CallState, First
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.marks import MinutesReport
from vumeter_server.live_metrics.model import CallOutcome, Event, EventType, RejectionReason
from vumeter_server.live_metrics.store import EventsPage, EventsQuery, Tenant
from vumeter_server.sqlite.library import sqlite3

# Of a call: what CallState holds, in its order, with the tenant's number in place of its id.
_STORED = tuple(
    name for name in CallState.__struct_fields__ if name not in {"call_id", "tenant_id"}
)
# The database's columns have names of their own for these.
_COLUMN_OF = {"epoch": "launch"}
_CALL_COLUMNS = (
    *("call_no", "call_id", "tenant_no"),
    *(_COLUMN_OF.get(name, name) for name in _STORED),
)

SELECT_CALL = f"SELECT {', '.join(_CALL_COLUMNS)} FROM live_calls"

UPSERT_CALL = f"""
    INSERT INTO live_calls ({", ".join(_CALL_COLUMNS)}, state)
    VALUES ({", ".join("?" for _ in _CALL_COLUMNS)}, ?)
    ON CONFLICT (call_no) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in (*_CALL_COLUMNS[2:], "state"))}
"""

_EVENT_COLUMNS = (
    "event_id, type, live_events.tenant_no, occurred_us, call_id,"
    " live_events.reason, live_events.outcome, minutes, sequence"
    " FROM live_events LEFT JOIN live_calls USING (call_no)"
)
_EVENTS_OF_PAGE = f"""
    SELECT live_tenants.tenant_id, {_EVENT_COLUMNS}
    JOIN live_tenants ON live_tenants.tenant_no = live_events.tenant_no
    WHERE event_no > :after AND event_no <= :page AND event_id IS NOT NULL
    AND occurred_us >= :start_us AND occurred_us < :end_us
    AND (:tenant_id IS NULL OR live_tenants.tenant_id = :tenant_id)
    ORDER BY event_no
"""
# So few that a message of them is never larger than what clients take.
EVENTS_A_PAGE = 1_000

INSERT_EVENT = """
    INSERT INTO live_events (event_no, event_id, type, call_no, tenant_no, occurred_us, received_us,
                             reason, outcome, minutes, sequence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event_id) DO NOTHING
"""

INSERT_MARK = """
    INSERT INTO live_marks (us, call_no, kind, tenant_no, amount) VALUES (?, ?, ?, ?, ?)
"""
DELETE_MARK = "DELETE FROM live_marks WHERE us = ? AND call_no = ? AND kind = ?"

INSERT_REPORT = "INSERT INTO live_reports (call_no, us, minutes_ms) VALUES (?, ?, ?)"
DELETE_REPORT = "DELETE FROM live_reports WHERE call_no = ? AND us = ?"

ADD_TO_TOTALS = f"""
    INSERT INTO live_totals (launch_no, tenant_no, {", ".join(COLUMNS)})
    VALUES (?, ?, {", ".join("?" for _ in COLUMNS)})
    ON CONFLICT (launch_no, tenant_no) DO UPDATE SET
    {", ".join(f"{name} = {name} + excluded.{name}" for name in COLUMNS)}
"""

# Without a start or an end nothing changes the peak, so that it need not be computed again.
ADD_TO_ROLLUP = f"""
    INSERT INTO live_cells (tenant_no, width, start, {", ".join(COLUMNS)}, net, peak, changes)
    VALUES (?, ?, ?, {", ".join("?" for _ in COLUMNS)}, ?, ?, 1)
    ON CONFLICT (tenant_no, width, start) DO UPDATE SET
    {", ".join(f"{name} = {name} + excluded.{name}" for name in COLUMNS)},
    net = net + excluded.net,
    peak = CASE WHEN excluded.peak IS NULL THEN NULL ELSE peak END,
    changes = changes + 1
"""

DROP_EMPTY_ROLLUP = f"""
    DELETE FROM live_cells WHERE tenant_no = ? AND width = ? AND start = ?
    AND {" AND ".join(f"{name} = 0" for name in COLUMNS)}
"""

UPSERT_TENANT = """
    INSERT INTO live_tenants (tenant_no, tenant_id, last_occurred_us, last_received_us)
    VALUES (?, ?, ?, ?)
    ON CONFLICT (tenant_no) DO UPDATE SET
    last_occurred_us = max(coalesce(last_occurred_us, excluded.last_occurred_us),
                           excluded.last_occurred_us),
    last_received_us = excluded.last_received_us
"""


def call_parameters(call_no: int, tenant_no: int, call: CallState) -> tuple[Any, ...]:
    """Return the parameters of UPSERT_CALL."""
    values = [getattr(call, name) for name in _STORED]
    return (call_no, call.call_id, tenant_no, *values, call.stage)


def read_call(row: tuple[Any, ...], tenant_id: str) -> CallState:
    """Return the call of a row of SELECT_CALL, whose tenant is `tenant_id`."""
    known = dict(zip(_STORED, row[3:], strict=True))
    known["lapsed"] = bool(known["lapsed"])
    known["first"] = First(known["first"])
    if known["reason"] is not None:
        known["reason"] = RejectionReason(known["reason"])
    if known["outcome"] is not None:
        known["outcome"] = CallOutcome(known["outcome"])
    return CallState(call_id=row[1], tenant_id=tenant_id, **known)


def select_calls(
    connection: sqlite3.Connection, call_ids: Iterable[str]
) -> Iterator[tuple[Any, ...]]:
    """Return the rows of SELECT_CALL for `call_ids`, those of them that exist."""
    yield from connection.execute(
        f"{SELECT_CALL} WHERE call_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(call_ids)),),
    )


def select_events(
    connection: sqlite3.Connection,
    event_ids: Sequence[str],
    before_no: int,
    tenant_ids: Mapping[int, str],
) -> dict[str, Event]:
    """Return, by id, those of `event_ids` that were stored under numbers below `before_no`."""
    found = connection.execute(
        f"SELECT {_EVENT_COLUMNS}"
        " WHERE event_id IN (SELECT value FROM json_each(?)) AND event_no < ?",
        (json.dumps(event_ids), before_no),
    )
    return {row[0]: _read_event(row, tenant_ids[row[2]]) for row in found}


def page_of_events(connection: sqlite3.Connection, asked: EventsQuery) -> EventsPage:
    """Return the events of the next numbers."""
    first, last = connection.execute(
        "SELECT coalesce(min(event_no), 1), coalesce(max(event_no), 0) FROM live_events"
    ).fetchone()
    through = last if asked.through is None else asked.through
    after = max(asked.after, first - 1)
    page = min(after + EVENTS_A_PAGE, through)
    rows = connection.execute(
        _EVENTS_OF_PAGE,
        {
            **{"after": after, "page": page, "tenant_id": asked.tenant_id},
            **{"start_us": asked.start_us, "end_us": asked.end_us},
        },
    )
    return EventsPage(
        events=[_read_event(row[1:], row[0]) for row in rows],
        after=max(page, asked.after) if after < through else through,
        through=through,
        share=(page - first + 1) / max(through - first + 1, 1) if after < through else 1.0,
    )


def _read_event(row: tuple[Any, ...], tenant_id: str) -> Event:
    event_id, event_type, _, occurred_us, call_id, reason, outcome, minutes, sequence = row
    return Event(
        event_id=event_id,
        type=EventType(event_type),
        tenant_id=tenant_id,
        occurred_us=occurred_us,
        call_id=call_id,
        reason=None if reason is None else RejectionReason(reason),
        outcome=None if outcome is None else CallOutcome(outcome),
        minutes=minutes,
        sequence=sequence,
    )


def read_tenant(row: tuple[str, int | None, int | None, int | None]) -> Tenant:
    """Return the tenant of a row: id, last times, limit."""
    return Tenant(
        tenant_id=row[0],
        last_occurred_us=row[1],
        last_received_us=row[2],
        max_concurrent_calls=row[3],
    )


def select_reports(
    connection: sqlite3.Connection, call_numbers: Sequence[int]
) -> dict[int, list[MinutesReport]]:
    """Return, by the call's number, the reports that raised its minutes, in order of time."""
    found = defaultdict(list)
    for call_no, us, minutes_ms in connection.execute(
        "SELECT call_no, us, minutes_ms FROM live_reports"
        " WHERE call_no IN (SELECT value FROM json_each(?)) ORDER BY call_no, us",
        (json.dumps(call_numbers),),
    ):
        found[call_no].append(MinutesReport(us, minutes_ms))
    return found
