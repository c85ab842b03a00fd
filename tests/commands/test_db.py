"""`vumeter db`: looked at, checked, flushed and made smaller through the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.custom_metrics.in_process import InProcess
from tests.custom_metrics.strategies import SCENES, many_points
from tests.stack import Stack

from vumeter_server.custom_metrics.sqlite.formats.columns import decode, encode
from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.blobs import HEADER_BYTES, Holds, with_header
from vumeter_server.sqlite.library import sqlite3

SCENE = SCENES[0]
EMPTIED = (
    "UPDATE metric_columns SET column = emptied(column) WHERE kind = {kind} AND metric_code = 0"
)


def emptied(column: bytes) -> bytes:
    """Return a column of zeros of the same length, whose checksum is right."""
    return encode(np.zeros(len(decode(column)), np.int64))


def with_another_value(columns: bytes) -> bytes:
    """Return the points of a session of which the last byte is another, with a right checksum."""
    return with_header(Holds.SESSION, columns[HEADER_BYTES:-1] + b"\x07")


def damaged(connection: sqlite3.Connection, statement: str) -> None:
    connection.create_function("emptied", 1, emptied)
    connection.create_function("with_another_value", 1, with_another_value)
    connection.execute(statement)


def vumeter(*arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vumeter_server.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "VUMETER_DB": ""},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status != 2 else done.stderr


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("db") / "vumeter.db"
    with InProcess(path) as server:
        server.new_organization()
        for seed in range(3):
            server.record(many_points(SCENE, 3_000, seed))
            server.run(server.store.maintenance.flush(everything=seed < 2))
    return path


def test_a_database_of_many_points_has_no_problem_before_and_after_sealing(path: Path) -> None:
    assert vumeter("db", "check", "--db", str(path)) == "no problem found\n"
    before = json.loads(vumeter("db", "info", "--db", str(path), "--format", "json"))
    (clinic,) = before["organizations"]
    assert (clinic["flushed_points"], clinic["log_points"]) == (6_000, 3_000)
    assert vumeter("db", "flush", "--db", str(path)) == "everything is flushed\n"
    after = json.loads(vumeter("db", "info", "--db", str(path), "--format", "json"))
    (clinic,) = after["organizations"]
    assert (clinic["flushed_points"], clinic["log_points"]) == (9_000, 0)
    assert vumeter("db", "check", "--db", str(path)) == "no problem found\n"


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM metric_cells", "sums by cell"),
        ("DELETE FROM series_sums", "does not count the points of its days"),
        ("DELETE FROM session_points WHERE session_code = 0", "sessions have"),
        ("UPDATE metric_columns SET points = points + 1 WHERE kind = 1", "wrong length"),
        ("DELETE FROM labels WHERE label_code = 0", "labels: "),
        ("UPDATE metric_days SET points = 0", "more points than the day counts"),
        # What counts its points, but does not add them up.
        (EMPTIED.format(kind=1), "sums by cell of metric 0 are not those of its points"),
        (EMPTIED.format(kind=1), "days: sums of metric 0 are not those of the points"),
        (EMPTIED.format(kind=2), "sums by agent_id are not those of the points"),
        (EMPTIED.format(kind=0), "sessions do not have the points that the columns have"),
        (
            "UPDATE session_points SET columns = with_another_value(columns)"
            " WHERE session_code = 0",
            "sessions do not have the points that the columns have",
        ),
        (
            "UPDATE metric_uses SET label_code = 9999999 WHERE label_code >= 0",
            "labels of its points are missing in metric_uses",
        ),
        # What a deletion says of itself, and what it should have taken.
        (
            "INSERT INTO live_deletions (tenant_id, tenant_no) VALUES ('clinic', 7)",
            "live_deletions: whether 1 is applied is told differently",
        ),
        (
            "INSERT INTO live_marks (us, call_no, kind, tenant_no, amount) VALUES (1, 1, 1, 7, 1)",
            "live_marks: 1 rows are of a tenant that there is not",
        ),
        (
            "UPDATE organizations SET deleted_us = 1, erased_us = 2",
            "metric_columns: ",
        ),
        (
            "INSERT INTO point_deletions"
            " (organization_id, batch_number, query, created_us, deleted)"
            " VALUES (1, 1000000, '{}', 1, 5)",
            "deletion 1000000: whether it is applied is told differently",
        ),
    ],
)
def test_what_does_not_agree_is_told_and_is_status_1(
    path: Path, tmp_path: Path, damage: str, problem: str
) -> None:
    copy = tmp_path / "vumeter.db"
    copy.write_bytes(path.read_bytes())
    open_database(copy).write(lambda connection: damaged(connection, damage))
    assert problem in vumeter("db", "check", "--db", str(copy), status=1)


def test_a_file_is_made_smaller_in_steps_or_whole(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "vumeter.db"
    copy.write_bytes(path.read_bytes())
    database = open_database(copy)
    database.write(lambda connection: connection.execute("DELETE FROM metric_columns"))
    database.write(lambda connection: connection.execute("DELETE FROM session_points"))
    size = copy.stat().st_size
    vumeter("db", "vacuum", "--db", str(copy))
    assert copy.stat().st_size < size
    vumeter("db", "vacuum", "--full", "--db", str(copy))
    assert (
        json.loads(vumeter("db", "info", "--db", str(copy), "--format", "json"))["free_bytes"] == 0
    )


def test_beside_a_running_server_a_file_is_looked_at_but_not_flushed(stack: Stack) -> None:
    db = str(stack.db_path)
    assert "schema" in vumeter("db", "info", "--db", db)
    assert vumeter("db", "check", "--db", db) == "no problem found\n"
    vumeter("db", "vacuum", "--db", db)
    for command in (["seal"], ["vacuum", "--full"]):
        refusal = vumeter("db", *command, "--db", db, status=2)
        assert refusal.endswith("is already served by another process\n")
        assert refusal.count("\n") == 1


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    for command in ("info", "check", "seal", "vacuum"):
        refusal = vumeter("db", command, "--db", str(tmp_path / "none.db"), status=2)
        assert refusal.endswith("does not exist\n")
        assert refusal.count("\n") == 1
