"""`vumeter audit`: what was done by commands, by keys and by the server is listed, for ever."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.commands.command import at_terminal, parsed, try_vumeter, vumeter
from tests.stack import Stack

from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.audit import read_entries
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.runtime.actors import Actor
from vumeter_server.sqlite import audit, open_database
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.units import DAY_US

NOW_US = 1_764_490_000_000_000


def entries(db: Path, *options: str) -> list[dict[str, Any]]:
    """Return the entries, the oldest first."""
    listed = parsed(vumeter("audit", "list", "--format", "json", *options, db=db))
    assert [each["number"] for each in listed] == sorted(
        (each["number"] for each in listed), reverse=True
    )
    return list(reversed(listed))


def what(entry: dict[str, Any]) -> tuple[str, str | None, dict[str, Any]]:
    return entry["action"], entry["target"], entry["details"]


def test_what_commands_do_is_listed_with_the_user_and_the_command(tmp_path: Path) -> None:
    db = tmp_path / "vumeter.db"
    key = ("keys", "create", "--create", "--organization", "acme", "--role", "member")
    first = parsed(vumeter(*key, "--format", "json", db=db))["key_id"]
    second = parsed(vumeter("keys", "rotate", first, "--format", "json", db=db))["key_id"]
    vumeter("keys", "revoke", second, db=db)
    vumeter(
        *("limits", "set", "--organization", "acme", "--metrics", "7", "--label-sets", "default"),
        db=db,
    )
    vumeter("otlp", "mapping", "set", "--help", db=db)
    vumeter("clock", "accept", "--yes", db=db)
    vumeter("organizations", "delete", "acme", "--yes", db=db)
    # What is refused is not done.
    assert try_vumeter("keys", "revoke", "vmk_unknown", db=db).returncode == 2
    found = entries(db)
    assert [what(each) for each in found] == [
        ("key.create", first, {"role": "member", "tenant": None}),
        ("key.rotate", first, {"new_key": second}),
        ("key.revoke", second, {}),
        ("limits.set", None, {"metrics": 7, "label_sets": None}),
        ("clock.accept", None, {}),
        ("organization.delete", None, {}),
    ]
    assert [each["organization"] for each in found] == ["acme"] * 4 + [None, "acme"]
    assert {each["user"] for each in found} == {getpass.getuser()}
    assert [each["command"] for each in found] == [
        "vumeter keys create",
        "vumeter keys rotate",
        "vumeter keys revoke",
        "vumeter limits set",
        "vumeter clock accept",
        "vumeter organizations delete",
    ]
    assert {each["key_id"] for each in found} == {None}


def test_keys_are_listed_with_the_label_that_they_have_now(tmp_path: Path) -> None:
    db = tmp_path / "vumeter.db"
    key = ("keys", "create", "--create", "--organization", "acme", "--role", "owner")
    first = parsed(vumeter(*key, "--label", "Booking", "--format", "json", db=db))["key_id"]
    vumeter("keys", "label", first, "Booking, retired", db=db)
    by_key = Actor(key_id=first)
    open_database(db).write(
        lambda connection: audit.append(
            connection, NOW_US, "points.delete", actor=by_key, target=first
        )
    )
    found = entries(db)
    assert [what(each) for each in found] == [
        ("key.create", first, {"role": "owner", "tenant": None, "label": "Booking"}),
        ("key.label", first, {"label": "Booking, retired"}),
        ("points.delete", first, {}),
    ]
    assert [(each["key_label"], each["target_label"]) for each in found] == [
        (None, "Booking, retired"),
        (None, "Booking, retired"),
        ("Booking, retired", None),
    ]
    newest = vumeter("audit", "list", db=db).splitlines()[1].split("\t")
    assert newest[1:] == [f"{first} (Booking, retired)", "points.delete", "-", first, "-"]


def test_what_callers_delete_and_export_is_listed_with_their_key(stack: Stack) -> None:
    key = stack.make_key("audited")
    url, headers = (
        f"{stack.rest_url}/v1/custom-metrics",
        {"Authorization": f"Bearer {key.bearer}"},
    )
    points = [{"name": "turns", "tags": {"origin": "web"}, "timestamp": "2025-04-01T10:00:00Z"}]
    assert requests.post(url, json={"points": points}, headers=headers, timeout=10).ok
    asked = {
        "startDate": "2025-04-01",
        "metricNames": ["turns"],
        "filters": [{"label": "origin", "op": "in", "values": ["web", "phone"]}],
    }
    for dry_run in (True, False):
        answer = requests.post(
            f"{url}/delete", json={**asked, "dryRun": dry_run}, headers=headers, timeout=10
        )
        assert answer.json() == {"data": {"deleted": 1}}
    wrong = requests.post(f"{url}/delete", json={"metricNames": []}, headers=headers, timeout=10)
    assert wrong.status_code == 400
    exported = stack.db_path.parent / "audited.csv"
    vumeter(
        *("export", "custom-metrics", str(exported), "--format", "csv"),
        *("--target", stack.grpc_target, "--metric", "turns"),
        VUMETER_API_KEY=key.key_id,
        VUMETER_SECRET_KEY=key.secret,
    )
    found = entries(stack.db_path, "--organization", "audited", "--action", "points")
    assert [what(each) for each in found] == [
        (
            "points.delete",
            None,
            {
                "start": "2025-04-01T00:00:00Z",
                "metrics": ["turns"],
                "filters": ["origin in web, phone"],
            },
        ),
        ("points.export", None, {"metrics": ["turns"]}),
    ]
    assert {each["key_id"] for each in found} == {key.key_id}
    assert {each["user"] for each in found} == {None}


def test_what_commands_delete_is_listed_beside_a_running_server(stack: Stack) -> None:
    key = stack.make_key("pruned")
    url, headers = (
        f"{stack.rest_url}/v1/custom-metrics",
        {"Authorization": f"Bearer {key.bearer}"},
    )
    points = [{"name": "turns"}, {"name": "calls"}]
    assert requests.post(url, json={"points": points}, headers=headers, timeout=10).ok
    of = ("--organization", "pruned")
    vumeter("points", "delete", *of, "--metric", "turns", "--yes", db=stack.db_path)
    vumeter("points", "delete", *of, "--metric", "calls", "--dry-run", db=stack.db_path)
    vumeter("metrics", "delete", *of, "calls", "--yes", db=stack.db_path)
    found = entries(stack.db_path, *of)[1:]
    assert [what(each) for each in found] == [
        ("points.delete", None, {"points": 1, "metrics": ["turns"]}),
        ("metric.delete", "calls", {}),
    ]
    assert [each["command"] for each in found] == [
        "vumeter points delete",
        "vumeter metrics delete",
    ]


def test_entries_are_chosen_by_action_time_and_number(tmp_path: Path) -> None:
    db = tmp_path / "vumeter.db"
    database = open_database(db)
    administration = SqliteKeyAdministration(database, lambda: NOW_US)
    keys = [administration.create_key("acme", Role.MEMBER, None) for _ in range(3)]
    administration.revoke_key(keys[0].key_id)
    vumeter("limits", "set", "--organization", "acme", "--metrics", "7", db=db)
    assert [each["action"] for each in entries(db, "--action", "key")] == [
        *["key.create"] * 3,
        "key.revoke",
    ]
    assert [each["action"] for each in entries(db, "--action", "key.revoke")] == ["key.revoke"]
    assert entries(db, "--action", "ke") == []
    assert [each["action"] for each in entries(db, "--since", "30d")] == ["limits.set"]
    assert [each["action"] for each in entries(db, "--limit", "2")] == ["key.revoke", "limits.set"]
    assert entries(db, "--organization", "other") == []
    # A change that was not made by one of our commands has a user alone.
    assert entries(db)[0]["command"] is None
    text = vumeter("audit", "list", "--limit", "1", db=db)
    time, *words = text.splitlines()[1].split("\t")
    assert time.endswith("Z")
    assert words == [
        getpass.getuser(),
        "limits.set",
        "acme",
        "-",
        "metrics=7",
    ]
    status, screen = at_terminal("audit", "list", "--limit", "1", db=db)
    assert status == 0
    assert "limits.set" in screen


def test_the_days_that_retention_drops_are_listed_as_the_servers_doing(tmp_path: Path) -> None:
    db = tmp_path / "vumeter.db"
    database = open_database(db)
    SqliteKeyAdministration(database).create_key("acme", Role.MEMBER, None)
    now_us = [NOW_US]
    writer, readers = database.writer(), database.readers()
    store = SqliteMetricStore(writer, readers, lambda: now_us[0], retention_days=1)

    async def record_and_wait() -> None:
        from tests.conformance.custom_metrics.asking import batch_of  # noqa: PLC0415
        from tests.custom_metrics.points import Point  # noqa: PLC0415

        await store.record(
            1, batch_of(Point(name="turns"), now_us=NOW_US), idempotency=None, now_us=NOW_US
        )
        await store.maintenance.flush(everything=True)
        await store.maintenance.drop_expired()
        now_us[0] += 5 * DAY_US
        for _ in range(2):
            await store.maintenance.drop_expired()

    try:
        asyncio.run(record_and_wait())
    finally:
        writer.close()
        readers.close()
    (entry,) = entries(db, "--action", "retention")
    assert what(entry) == ("retention.drop_days", None, {"days": 1, "last_day": "2025-11-30"})
    assert (entry["organization"], entry["user"], entry["key_id"]) == ("acme", None, None)
    assert "server" in vumeter("audit", "list", "--action", "retention", db=db)


@pytest.mark.parametrize(
    "change", ["DELETE FROM audit_entries", "UPDATE audit_entries SET action = 'nothing'"]
)
def test_an_entry_is_never_changed(tmp_path: Path, change: str) -> None:
    db = tmp_path / "vumeter.db"
    vumeter("keys", "create", "--create", "--organization", "acme", "--role", "member", db=db)
    before = entries(db)
    with pytest.raises(sqlite3.IntegrityError, match="audit entries are never changed"):
        open_database(db).write(lambda connection: connection.execute(change))
    assert entries(db) == before != []


def test_a_change_that_fails_leaves_no_entry(tmp_path: Path) -> None:
    database = open_database(tmp_path / "vumeter.db")

    def job(connection: sqlite3.Connection) -> None:
        audit.append(connection, NOW_US, "key.create")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        database.write(job)
    assert database.read(lambda connection: read_entries(connection, most=10)) == []
