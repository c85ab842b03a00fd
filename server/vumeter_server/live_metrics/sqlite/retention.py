"""Retention: forgets old events, and the calls that need none of them, in small steps.

Totals and the lists of calls stay as they are. History of what is forgotten goes with it: all
marks of a call are removed together, so that what remains is still exact.
"""

from __future__ import annotations

from vumeter_server.live_metrics.counters import WITHOUT_CALL, Counter
from vumeter_server.live_metrics.fold import forget_call
from vumeter_server.live_metrics.marks import Mark
from vumeter_server.live_metrics.sqlite import rows
from vumeter_server.live_metrics.sqlite.state import WriterState
from vumeter_server.live_metrics.sqlite.timeline import HistoryWriter
from vumeter_server.sqlite.library import sqlite3

EVENTS_PER_STEP = 2_000
CALLS_PER_STEP = 500

_COUNTERS = {int(event_type): counter for event_type, counter in WITHOUT_CALL.items()}


def has_received_before(connection: sqlite3.Connection, before_us: int) -> bool:
    """Return whether the oldest event was received before `before_us`, as `drop_events` asks."""
    oldest = connection.execute(
        "SELECT received_us FROM live_events ORDER BY event_no LIMIT 1"
    ).fetchone()
    return oldest is not None and oldest[0] < before_us


def drop_events(connection: sqlite3.Connection, before_us: int) -> bool:
    """Forget the oldest events received before `before_us`; return whether more are left."""
    old = connection.execute(
        "SELECT event_no, received_us, type, tenant_no, occurred_us FROM live_events"
        " ORDER BY event_no LIMIT ?",
        (EVENTS_PER_STEP,),
    ).fetchall()
    last = None
    history = HistoryWriter()
    for event_no, received_us, event_type, tenant_no, occurred_us in old:
        if received_us >= before_us:
            break
        last = event_no
        counter: Counter | None = _COUNTERS.get(event_type)
        if counter is not None:
            history.remove(-event_no, tenant_no, [Mark(occurred_us, counter, 1)])
    if last is None:
        return False
    connection.execute("DELETE FROM live_events WHERE event_no <= ?", (last,))
    history.write(connection)
    history.drop_empty_rollups(connection)
    return last == old[-1][0] and len(old) == EVENTS_PER_STEP


def drop_calls(
    connection: sqlite3.Connection, state: WriterState, before_us: int, after_call_no: int
) -> int | None:
    """Forget unlisted calls of which no event was received since `before_us`.

    Looks at a number of calls after `after_call_no`, in the order of their first event's receipt.
    Returns the last one looked at, None if the rest is too young.
    """
    history = HistoryWriter()
    dropped = []
    looked_at = None
    for row in connection.execute(
        f"{rows.SELECT_CALL} WHERE call_no > ? ORDER BY call_no LIMIT ?",
        (after_call_no, CALLS_PER_STEP),
    ).fetchall():
        call_no, call_id, tenant_no = row[:3]
        call = rows.read_call(row, state.tenant_ids[tenant_no])
        if call.first_received_us >= before_us:
            looked_at = None
            break
        looked_at = call_no
        if call.last_received_us < before_us and call_id not in state.listed:
            dropped.append((call_no,))
            reports = rows.select_reports(connection, [call_no]).get(call_no, ())
            history.remove(call_no, tenant_no, forget_call(call, reports))
    connection.executemany("DELETE FROM live_calls WHERE call_no = ?", dropped)
    connection.executemany("DELETE FROM live_reports WHERE call_no = ?", dropped)
    history.write(connection)
    history.drop_empty_rollups(connection)
    return looked_at
