"""The ledger: what the writer thread knows beside the file.

Listed calls and all tenants are held in memory, in the writer thread alone. Jobs merge into it what
they booked; if a transaction is undone after that, the ledger is dropped and read again.
"""

from __future__ import annotations

from dataclasses import dataclass

from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.fold import Call, State
from vumeter_server.live_metrics.live_view import Change, Listing
from vumeter_server.live_metrics.sqlite import rows
from vumeter_server.sqlite.library import sqlite3


@dataclass(slots=True, eq=False)
class Known:
    """A call and its number."""

    call_no: int
    call: Call


@dataclass(slots=True, eq=False)
class Ledger:
    """The writer thread's memory, as of the last job that ran."""

    launch: int
    next_event: int
    next_call: int
    next_tenant: int
    tenant_numbers: dict[str, int]
    tenant_ids: dict[int, str]
    listed: dict[str, Known]
    """Calls in a list, those heard of longest ago first."""

    @classmethod
    def read(cls, connection: sqlite3.Connection, launch_id: str) -> Ledger:
        """Read the ledger from the file, for the launch `launch_id`, known or new."""
        connection.execute(
            "INSERT INTO live_launches (launch_id) VALUES (?) ON CONFLICT DO NOTHING", (launch_id,)
        )
        (launch,) = connection.execute(
            "SELECT launch_no FROM live_launches WHERE launch_id = ?", (launch_id,)
        ).fetchone()
        # Nobody can ask for the totals of an earlier launch.
        connection.execute("DELETE FROM live_totals WHERE launch_no <> ?", (launch,))
        tenants = dict(connection.execute("SELECT tenant_no, tenant_id FROM live_tenants"))
        listed = [
            Known(row[0], rows.read_call(row, tenants[row[2]]))
            for row in connection.execute(f"{rows.SELECT_CALL} WHERE state > 0")
        ]
        listed.sort(key=lambda known: known.call.last_received_us)
        return cls(
            launch=launch,
            next_event=_next(connection, "event_no", "live_events"),
            next_call=_next(connection, "call_no", "live_calls"),
            next_tenant=_next(connection, "tenant_no", "live_tenants"),
            tenant_numbers={tenant_id: number for number, tenant_id in tenants.items()},
            tenant_ids=tenants,
            listed={known.call.call_id: known for known in listed},
        )

    def board_change(self, connection: sqlite3.Connection) -> Change:
        """Return everything there is as one change of an empty board."""
        totals = connection.execute(
            f"SELECT tenant_no, {', '.join(COLUMNS)} FROM live_totals WHERE launch_no = ?",
            (self.launch,),
        )
        return Change(
            listings={call_id: listing(known.call) for call_id, known in self.listed.items()},
            totals={self.tenant_ids[number]: tuple(sums) for number, *sums in totals},
        )


def listing(call: Call) -> Listing | None:
    """Return where a call is listed, None if nowhere."""
    state = call.state
    return None if state is State.UNLISTED else Listing(call.tenant_id, state)


def _next(connection: sqlite3.Connection, column: str, table: str) -> int:
    (last,) = connection.execute(f"SELECT max({column}) FROM {table}").fetchone()
    return (last or 0) + 1
