"""`vumeter tenants delete`, beside a running server and without one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.commands.command import VUMETER, at_terminal, try_vumeter
from tests.live_metrics.conftest import PATHS, LiveApi, live_api
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.sqlite.library import sqlite3

# What has a column for the number of a tenant, and keeps nothing of one that is deleted.
TABLES = ("live_tenants", "live_totals", "live_events", "live_calls", "live_marks", "live_cells")
RANGE = {"startDate": "2025-04-01T09:00", "endDate": "2025-04-01T10:00", "step": "10m"}
NOBODY = "vumeter: there is no tenant nobody\n"


def events_of(tenant: str) -> list[dict[str, Any]]:
    """Three calls: one has ended, one is active, one was turned away."""
    kinds: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("accepted", "one", {}),
        ("started", "one", {}),
        ("ended", "one", {"outcome": "completed"}),
        ("accepted", "two", {}),
        ("started", "two", {}),
        ("rejected", "three", {"reason": "capacity"}),
    )
    return [
        {
            "event_id": f"{tenant}-{number}",
            "type": kind,
            "call_id": f"{tenant}-{call}",
            "tenant_id": tenant,
            "occurred_at": f"2025-04-01T09:{number:02}:00Z",
            **more,
        }
        for number, (kind, call, more) in enumerate(kinds)
    ]


def delete(stack: Stack, *arguments: str) -> tuple[int, str, str]:
    done = try_vumeter("tenants", "delete", *arguments, "--db", str(stack.db_path))
    return done.returncode, done.stdout, done.stderr


def answers(live: LiveApi, tenant: str | None = None) -> list[Any]:
    """Return what both APIs answer of all tenants, or of one."""
    of = "" if tenant is None else f"/{tenant}"
    which = {} if tenant is None else {"tenant_id": tenant}
    found = [
        live.get(f"{PATHS}/live{of}").json(),
        live.get(f"{PATHS}/history", **RANGE, **which).json()["data"],
        live.stub.GetLiveMetrics(
            pb.GetLiveMetricsRequest(tenant_id=tenant or ""), metadata=live.metadata
        ).metrics.SerializeToString(deterministic=True),
    ]
    if tenant is None:
        found.append(live.get(f"{PATHS}/capacity/debug").json())
        tenants = live.stub.ListTenants(pb.ListTenantsRequest(), metadata=live.metadata).tenants
        found.append(sorted(each.tenant_id for each in tenants))
    return found


def rows_without_owner(path: Path) -> dict[str, int]:
    """Count rows of tenants that there are not; number 0 stands for all of them."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: count
            for table in TABLES
            for (count,) in connection.execute(
                f"SELECT count(*) FROM {table} WHERE tenant_no != 0"
                " AND tenant_no NOT IN (SELECT tenant_no FROM live_tenants)"
            )
            if count
        }


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveApi]:
    stack = start_stack(tmp_path)
    api = live_api(stack)
    yield api
    api.channel.close()
    stack.stop()


def test_a_deleted_tenant_is_gone_from_both_apis(live: LiveApi) -> None:
    stack = live.stack
    live.record(*events_of("garage"))
    before, garage = answers(live), answers(live, "garage")
    live.record(*events_of("clinic"))
    whole = answers(live)
    contents = "tenant clinic with 3 calls, 6 events"
    assert delete(stack, "clinic", "--dry-run") == (0, f"{contents} would be deleted\n", "")
    assert answers(live) == whole
    assert delete(stack, "clinic", "--yes") == (0, f"{contents} deleted\n", "")
    assert answers(live) == before
    assert answers(live, "garage") == garage
    assert rows_without_owner(stack.db_path) == {}
    assert delete(stack, "clinic", "--yes")[0] == 2
    # The same events are those of a new tenant.
    live.record(*events_of("clinic"))
    assert answers(live) == whole
    done = try_vumeter("db", "check", "--db", str(stack.db_path))
    assert (done.returncode, done.stdout) == (0, "no problem found\n")


def test_who_watches_a_tenant_sees_it_go(live: LiveApi) -> None:
    live.record(*events_of("clinic"))
    watching = live.stub.WatchLiveMetrics(
        pb.WatchLiveMetricsRequest(tenant_id="clinic"), metadata=live.metadata, timeout=30
    )
    assert next(watching).metrics.active_calls == 1
    assert delete(live.stack, "clinic", "--yes")[0] == 0
    seen = next(watching).metrics
    assert (seen.active_calls, seen.accepted_calls, seen.rejected_calls_capacity) == (0, 0, 0)
    watching.cancel()


def test_what_there_is_not_and_what_is_no_tenant_is_said(live: LiveApi) -> None:
    live.record(*events_of("clinic"))
    assert delete(live.stack, "nobody", "--yes") == (2, "", NOBODY)
    assert delete(live.stack, "nobody", "--dry-run") == (2, "", NOBODY)
    status, _, error = delete(live.stack, "x" * 257, "--yes")
    assert status == 2
    assert "TENANT" in error
    status, printed, error = delete(live.stack, "clinic")
    assert (status, printed) == (2, "")
    assert "give --yes: there is no terminal to ask at" in error


def test_at_a_terminal_it_asks_and_no_changes_nothing(live: LiveApi) -> None:
    live.record(*events_of("clinic"))
    whole, db = answers(live), live.stack.db_path
    status, screen = at_terminal("tenants", "delete", "clinic", db=db, typed="n\n")
    assert status == 1
    assert "Delete tenant clinic with 3 calls, 6 events?" in screen
    assert answers(live) == whole
    status, screen = at_terminal("tenants", "delete", "clinic", db=db, typed="y\n")
    assert status == 0
    assert screen.endswith("tenant clinic with 3 calls, 6 events deleted\n")
    assert live.get(f"{PATHS}/live/clinic").json()["active_calls"] == 0


def test_without_a_server_the_command_does_the_work(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    live = live_api(stack)
    live.record(*events_of("garage"))
    before = live.get(f"{PATHS}/history", **RANGE).json()["data"]
    live.record(*events_of("clinic"))
    live.channel.close()
    assert stack.stop() == 0
    assert delete(stack, "clinic", "--yes")[1] == "tenant clinic with 3 calls, 6 events deleted\n"
    assert rows_without_owner(stack.db_path) == {}
    again = live_api(start_stack(tmp_path))
    assert again.get(f"{PATHS}/history", **RANGE).json()["data"] == before
    tenants = again.stub.ListTenants(pb.ListTenantsRequest(), metadata=again.metadata).tenants
    assert [each.tenant_id for each in tenants] == ["garage"]
    again.channel.close()
    assert again.stack.stop() == 0


def test_a_server_that_stops_meanwhile_leaves_the_work_to_the_command(tmp_path: Path) -> None:
    """The command asks a server that is held up, which then is killed: nobody waits for ever."""
    stack = start_stack(tmp_path)
    live = live_api(stack)
    live.record(*events_of("clinic"))
    live.channel.close()
    for child in stack.children():
        os.kill(child, signal.SIGSTOP)
    command = [*VUMETER, "tenants", "delete", "clinic", "--yes", "--db", str(stack.db_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        until(lambda: asked(stack.db_path))
        for child in stack.children():
            os.kill(child, signal.SIGKILL)
        printed, _ = waiting.communicate(timeout=60)
    stack.wait()
    assert (waiting.returncode, printed) == (0, "tenant clinic with 3 calls, 6 events deleted\n")
    assert rows_without_owner(stack.db_path) == {}


def asked(path: Path) -> bool:
    """Whether a deletion waits in a database."""
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM live_deletions WHERE done_us IS NULL"
        ).fetchone()
    return bool(count)
