"""The check of a whole database file: for `vumeter db check`, and for copies of it."""

from __future__ import annotations

from vumeter_server.custom_metrics.sqlite.maintenance import verification
from vumeter_server.live_metrics.sqlite import verification as live_verification
from vumeter_server.simulation.sqlite import latencies
from vumeter_server.sqlite import checking, organization_rows
from vumeter_server.sqlite.library import sqlite3


def find_problems(connection: sqlite3.Connection) -> list[str]:
    """Return what is damaged and what does not agree, a line each."""
    return [
        *checking.find_damage(connection),
        *checking.as_far_as_it_goes("custom metrics", verification.find_problems(connection)),
        *checking.as_far_as_it_goes("live metrics", live_verification.find_problems(connection)),
        *checking.as_far_as_it_goes("simulation_latencies", latencies.find_damage(connection)),
        *checking.as_far_as_it_goes("organizations", organization_rows.find_leftovers(connection)),
    ]
