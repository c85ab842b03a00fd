"""The writer's state: what the writer thread holds in memory beside the file.

Listed calls and all tenants are held, for the writer thread alone. Jobs merge into the state what
they wrote. If a transaction is rolled back after that, the state is dropped and read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.fold import Change, listing
from vumeter_server.live_metrics.sqlite import deletion, rows
from vumeter_server.sqlite.library import sqlite3


@dataclass(slots=True, eq=False)
class NumberedCall:
    """A call and its number."""

    call_no: int
    call: CallState


class Epoch(NamedTuple):
    """A start of the service: its id, and from when on things count in its totals."""

    id: str
    counted_from_us: int = 0


@dataclass(slots=True, eq=False)
class WriterState:
    """The writer thread's memory, as of the last job that ran."""

    epoch: int
    """The number of the current service start (epoch)."""
    counted_from_us: int
    """What occurred before is in no total of the epoch."""
    next_event: int
    next_call: int
    next_tenant: int
    tenant_numbers: dict[str, int]
    tenant_ids: dict[int, str]
    listed: dict[str, NumberedCall]
    """Calls in a list, those whose last event was received longest ago first."""
    deleting: set[int]
    """The numbers of deleted tenants of which rows may be left."""

    @classmethod
    def read(cls, connection: sqlite3.Connection, start: Epoch) -> WriterState:
        """Read the state from the file, for an epoch that is known or new.

        An epoch that is known keeps the `counted_from_us` that it began with.
        """
        connection.execute(
            "INSERT INTO live_launches (launch_id, counted_from_us) VALUES (?, ?)"
            " ON CONFLICT DO NOTHING",
            start,
        )
        epoch, counted_from_us = connection.execute(
            "SELECT launch_no, coalesce(counted_from_us, 0) FROM live_launches WHERE launch_id = ?",
            (start.id,),
        ).fetchone()
        # Nobody can ask for the totals of an earlier epoch.
        connection.execute("DELETE FROM live_totals WHERE launch_no <> ?", (epoch,))
        tenants = dict(connection.execute("SELECT tenant_no, tenant_id FROM live_tenants"))
        listed = [
            NumberedCall(row[0], rows.read_call(row, tenants[row[2]]))
            for row in connection.execute(f"{rows.SELECT_CALL} WHERE state > 0")
            # Those of a tenant that is deleted are rows that are left.
            if row[2] in tenants
        ]
        deleting = set(deletion.deleted_tenants(connection))
        listed.sort(key=lambda known: known.call.last_received_us)
        return cls(
            epoch=epoch,
            counted_from_us=counted_from_us,
            next_event=_next(connection, "event_no", "live_events"),
            next_call=_next(connection, "call_no", "live_calls"),
            next_tenant=max([0, *tenants, *deleting]) + 1,
            tenant_numbers={tenant_id: number for number, tenant_id in tenants.items()},
            tenant_ids=tenants,
            listed={known.call.call_id: known for known in listed},
            deleting=deleting,
        )

    def as_change(self, connection: sqlite3.Connection) -> Change:
        """Return everything that is live as one change from nothing."""
        totals = connection.execute(
            f"SELECT tenant_no, {', '.join(COLUMNS)} FROM live_totals WHERE launch_no = ?",
            (self.epoch,),
        )
        limits = connection.execute(
            "SELECT tenant_id, max_concurrent_calls FROM live_tenants"
            " WHERE max_concurrent_calls IS NOT NULL"
        )
        return Change(
            listings={call_id: listing(known.call) for call_id, known in self.listed.items()},
            totals={self.tenant_ids[number]: tuple(sums) for number, *sums in totals},
            limits=dict(limits.fetchall()),
        )


def last_epoch(connection: sqlite3.Connection) -> str:
    """Return the id of the last service start, "" if there was none."""
    row = connection.execute(
        "SELECT launch_id FROM live_launches ORDER BY launch_no DESC LIMIT 1"
    ).fetchone()
    return "" if row is None else str(row[0])


def _next(connection: sqlite3.Connection, column: str, table: str) -> int:
    (last,) = connection.execute(f"SELECT max({column}) FROM {table}").fetchone()
    return (last or 0) + 1
