"""`vumeter migrate`, as an operator types it, beside a server that goes on recording."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.commands.command import VUMETER, parsed, try_vumeter, vumeter
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

POINTS = 100
RANGE = "startDate=2026-05-01&endDate=2026-05-08"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product on a file of its own."""
    stack = start_stack(tmp_path_factory.mktemp("stack"))
    yield stack
    stack.stop()


def call(stack: Stack, key: NewKey, path: str, body: Any = None) -> Any:
    """Return the JSON of an answer."""
    request = urllib.request.Request(
        f"{stack.rest_url}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key.bearer}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def record(stack: Stack, key: NewKey, number: int) -> None:
    """Record POINTS points over seven days; those of one number are recorded once."""
    points = [
        {
            "name": f"metric_{each % 5}",
            "value": number,
            "timestamp": f"2026-05-0{1 + each % 7}T10:{number % 60:02}:{each % 60:02}Z",
            "tags": {"origin": f"o{number % 9}"},
        }
        for each in range(POINTS)
    ]
    call(stack, key, "/v1/custom-metrics", {"points": points, "idempotencyKey": f"b{number}"})


def migrate(source: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    stores = ("--from", f"sqlite:///{source}", "--to", f"sqlite:///{target}")
    return try_vumeter("migrate", *stores, *options)


def migrated(source: Path, target: Path, *options: str) -> Any:
    done = migrate(source, target, *options, "--format", "json")
    assert done.returncode == 0, done.stderr + done.stdout
    return parsed(done.stdout)


def points_of(report: Any) -> int:
    return sum(each["points"] for each in report["organizations"])


def test_it_copies_while_the_source_serves_and_goes_on_after_a_kill(
    served: Stack, tmp_path: Path
) -> None:
    key = served.make_key("acme")
    for number in range(40):
        record(served, key, number)
    target = tmp_path / "target.db"
    stopped = threading.Event()
    recorded = 40

    def go_on_recording() -> None:
        nonlocal recorded
        while not stopped.is_set():
            record(served, key, recorded)
            recorded += 1

    recording = threading.Thread(target=go_on_recording)
    recording.start()
    try:
        stores = ("--from", f"sqlite:///{served.db_path}", "--to", f"sqlite:///{target}")
        for kept in (0, 3):
            # Killed once a part of the points is there.
            process = subprocess.Popen([*VUMETER, "migrate", *stores])
            until(lambda kept=kept: has_batches(target, more_than=kept))  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert points_of(migrated(served.db_path, target)) >= 40 * POINTS
    finally:
        stopped.set()
        recording.join()
    refused = migrate(served.db_path, target, "--finish")
    assert refused.returncode == 2
    assert "is already served by another process" in refused.stderr

    served.stop()
    # What is not finished is not served.
    unfinished = try_vumeter("serve", "--grpc-port", "0", db=target, VUMETER_ADMIN_TOKEN="t" * 32)
    assert unfinished.returncode == 2
    assert "holds an unfinished migration from sqlite:///" in unfinished.stderr

    report = migrated(served.db_path, target, "--finish")
    assert report["finished"]
    assert report["differences"] == []
    assert points_of(report) == recorded * POINTS
    assert migrated(served.db_path, target, "--verify-only")["differences"] == []

    # The same keys open it, and a repeat of what the source recorded is one.
    moved = start_stack(tmp_path, VUMETER_STORE=f"sqlite:///{target}")
    try:
        record(moved, key, recorded - 1)
        answer = call(moved, key, f"/v1/custom-metrics/aggregate?{RANGE}")
        total = sum(answer["data"].values())
        assert total == POINTS * sum(range(recorded))
        record(moved, key, recorded)
    finally:
        moved.stop()
    differing = migrate(served.db_path, target, "--verify-only")
    assert differing.returncode == 1
    assert f"acme: metric_0 on 2026-05-01: {recorded * 3:,} points" in differing.stdout
    # A finished target is left alone.
    again = migrate(served.db_path, target)
    assert again.returncode == 2
    assert "holds the finished migration from" in again.stderr


def has_batches(target: Path, *, more_than: int) -> bool:
    if not target.exists():
        return False
    database = open_database(target)
    return bool(
        database.read(
            lambda connection: connection.execute(
                "SELECT count(*) > ? FROM idempotency_keys", (more_than,)
            ).fetchone()[0]
        )
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with an organization."""
    path = tmp_path / "vumeter.db"
    vumeter("keys", "create", "--create", "--organization", "acme", "--role", "owner", db=path)
    return path


def test_a_target_that_holds_something_else_is_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    vumeter("keys", "create", "--create", "--organization", "x", "--role", "owner", db=other)
    refused = migrate(file, other)
    assert refused.returncode == 2
    assert refused.stderr == (f"vumeter: sqlite:///{other} is not empty: choose another target\n")
    target = tmp_path / "target.db"
    migrated(file, target)
    refused = migrate(other, target)
    assert refused.returncode == 2
    assert f"holds a migration from sqlite:///{file}" in refused.stderr
    administration = SqliteKeyAdministration(open_database(target))
    assert [each.name for each in administration.list_organizations()] == ["acme"]


def test_wrong_options_are_one_line(file: Path, tmp_path: Path) -> None:
    missing = migrate(tmp_path / "missing.db", tmp_path / "target.db")
    assert missing.returncode == 2
    assert missing.stderr == f"vumeter: {tmp_path}/missing.db does not exist\n"
    assert not (tmp_path / "target.db").exists()
    same = migrate(file, file)
    assert same.returncode == 2
    both = migrate(file, tmp_path / "target.db", "--finish", "--verify-only")
    assert "not both" in both.stderr
    secret = try_vumeter(
        "migrate", "--from", f"sqlite:///{file}", "--to", "clickhouse://me:s3cret@host/db"
    )
    assert secret.returncode == 2
    assert "must not hold a password" in secret.stderr
    assert "s3cret" not in secret.stderr
