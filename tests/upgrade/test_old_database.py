"""A database of 0.1.0 is opened, answers as it did, goes on, and is laid out in today's formats."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import requests
from tests.stack import Stack, start_stack
from tests.upgrade.old_database import SETTINGS, differing, headers_of, unpack
from tests.waiting import until

from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.blobs import VERSION

RECORDED = {
    "points": [
        {"name": "turns", "type": "counter", "value": 2, "sessionId": "new"},
        {
            "name": "upgraded_ms",
            "type": "histogram",
            "distribution": {"count": 2, "sum": 3, "min": 1, "max": 2},
            "sessionId": "new",
        },
    ]
}
OF_SESSION = {"filters": [{"label": "session_id", "op": "=", "value": "new"}]}


def vumeter(*arguments: str) -> str:
    command = [sys.executable, "-m", "vumeter_server.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def wait_for_same_answers(stack: Stack) -> None:
    # Peaks of the history of live calls are computed in the background: they are asked for again
    # and again, and in the end everything once more.
    late = differing(stack)
    if late:
        until(lambda: not differing(stack, late), every_seconds=0.2)
        assert differing(stack) == []


def test_a_database_of_0_1_0_answers_as_it_did_and_goes_on(tmp_path: Path) -> None:
    path = unpack(tmp_path)
    assert vumeter("db", "check", "--db", str(path)) == "no problem found\n"
    stack = start_stack(tmp_path, **SETTINGS)
    wait_for_same_answers(stack)
    url, headers = stack.rest_url + "/v1/custom-metrics", headers_of("acme", stack.admin_token)
    recorded = requests.post(url, json=RECORDED, headers=headers, timeout=20)
    assert recorded.status_code == 200, recorded.text
    answer = requests.get(url + "/sessions/new", headers=headers, timeout=20).json()
    assert [each["value"][1] for each in answer["data"]["result"]] == ["2", "2"]
    deleted = requests.post(url + "/delete", json=OF_SESSION, headers=headers, timeout=20)
    assert deleted.json() == {"data": {"deleted": 2}}
    # What was recorded since is gone again, and nothing else.
    wait_for_same_answers(stack)
    assert stack.stop() == 0
    vumeter("db", "flush", "--db", str(path))
    assert vumeter("db", "check", "--db", str(path)) == "no problem found\n"
    assert first_bytes(path) == {VERSION}


def test_after_everything_is_flushed_it_answers_as_it_did(tmp_path: Path) -> None:
    path = unpack(tmp_path)
    vumeter("db", "flush", "--db", str(path))
    stack = start_stack(tmp_path, **SETTINGS)
    wait_for_same_answers(stack)
    assert stack.stop() == 0


def first_bytes(path: Path) -> set[int]:
    """Return with what the columns of metrics that are not deleted begin."""
    rows = open_database(path).read(
        lambda connection: connection.execute(
            "SELECT DISTINCT substr(column, 1, 1) FROM metric_columns"
        ).fetchall()
    )
    return {first[0] for (first,) in rows}
