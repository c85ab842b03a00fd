"""Retention: forgets old events, and the calls that need none of them, in small steps.

Totals and the lists of calls stay as they are. History of what is forgotten goes with it: a call's
marks are taken back as a whole, so that what remains is still exact.
"""

from __future__ import annotations

from vumeter_server.live_metrics.counters import Kind
from vumeter_server.live_metrics.marks import Mark, marks, report_marks
from vumeter_server.live_metrics.sqlite import rows
from vumeter_server.live_metrics.sqlite.state import Ledger
from vumeter_server.live_metrics.sqlite.timeline import Timeline
from vumeter_server.live_metrics.sqlite.write_batch import WITHOUT_CALL, stored_reports
from vumeter_server.sqlite.library import sqlite3

EVENTS_A_STEP = 2_000
CALLS_A_STEP = 500

_KINDS = {int(event_type): kind for event_type, kind in WITHOUT_CALL.items()}


def drop_events(connection: sqlite3.Connection, before_us: int) -> bool:
    """Forget the oldest events received before `before_us`; return whether more are left."""
    old = connection.execute(
        "SELECT event_no, received_us, type, tenant_no, occurred_us FROM live_events"
        " ORDER BY event_no LIMIT ?",
        (EVENTS_A_STEP,),
    ).fetchall()
    last = None
    timeline = Timeline()
    for event_no, received_us, event_type, tenant_no, occurred_us in old:
        if received_us >= before_us:
            break
        last = event_no
        kind: Kind | None = _KINDS.get(event_type)
        if kind is not None:
            timeline.take(-event_no, tenant_no, [Mark(occurred_us, kind, 1)])
    if last is None:
        return False
    connection.execute("DELETE FROM live_events WHERE event_no <= ?", (last,))
    timeline.write(connection)
    timeline.drop_empty_cells(connection)
    return last == old[-1][0] and len(old) == EVENTS_A_STEP


def drop_calls(
    connection: sqlite3.Connection, ledger: Ledger, before_us: int, after_call_no: int
) -> int | None:
    """Forget unlisted calls of which nothing was received since `before_us`.

    Looks at a number of calls after `after_call_no`, in the order in which they were first heard
    of; returns the last one looked at, None if the rest is too young.
    """
    timeline = Timeline()
    dropped = []
    looked_at = None
    for row in connection.execute(
        f"{rows.SELECT_CALL} WHERE call_no > ? ORDER BY call_no LIMIT ?",
        (after_call_no, CALLS_A_STEP),
    ).fetchall():
        call_no, call_id, tenant_no = row[:3]
        call = rows.read_call(row, ledger.tenant_ids[tenant_no])
        if call.first_received_us >= before_us:
            looked_at = None
            break
        looked_at = call_no
        if call.last_received_us < before_us and call_id not in ledger.listed:
            dropped.append((call_no,))
            reports = stored_reports(connection, call_no)
            timeline.take(call_no, tenant_no, marks(call) | report_marks(reports))
    connection.executemany("DELETE FROM live_calls WHERE call_no = ?", dropped)
    connection.executemany("DELETE FROM live_reports WHERE call_no = ?", dropped)
    timeline.write(connection)
    timeline.drop_empty_cells(connection)
    return looked_at
