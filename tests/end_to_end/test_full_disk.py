"""A disk that fills up: 503, nothing half stored, reading goes on, and so does recording later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.disks import small_disk
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.conftest import connected, with_key
from tests.end_to_end.recorders import RECORD, TEN_YEARS
from tests.stack import Stack, start_stack

DISK_MIB = 12
KEPT_FREE_MIB = 4
POINTS = 2_000
PATH = "/v1/custom-metrics"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB."""
    with small_disk(tmp_path, DISK_MIB) as mounted:
        yield mounted


@pytest.fixture
def full_stack(tmp_path: Path, disk: Path) -> Iterator[Stack]:
    """A product whose database is on that disk."""
    db_path = disk / "vumeter.db"
    stack = start_stack(tmp_path, "--db", str(db_path), VUMETER_ACCESS_LOG="false")
    yield replace(stack, db_path=db_path)
    stack.stop()


def batch(number: int) -> dict[str, object]:
    """Return a recording that takes much room: every point is of a session of its own."""
    return {
        "points": [
            {"name": "turns", "sessionId": f"{number:06}-{point:06}" + "s" * 100}
            for point in range(POINTS)
        ]
    }


def total(caller: Caller) -> int:
    return int(caller.get(PATH + "/aggregate", **TEN_YEARS).body["data"]["turns"])


def is_unavailable(answer: Answer) -> None:
    assert (answer.status, answer.code) == (503, 14)
    assert answer.message == "Storage is busy or full"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/json"


def test_a_full_disk_refuses_recordings_whole_and_takes_them_again_when_there_is_room(
    full_stack: Stack, disk: Path
) -> None:
    (disk / "filler").write_bytes(bytes(KEPT_FREE_MIB * 1024 * 1024))
    with connected(full_stack) as anybody:
        owner = with_key(anybody, "Clinic")
        stored = 0
        while (answer := owner.post(PATH, batch(stored))).status == 200:
            stored += 1
        assert stored > 0
        is_unavailable(answer)
        # Larger than what may be left; a small one might still fit in.
        is_unavailable(owner.post(PATH, batch(stored)))
        typed = {"points": [{"name": "turns", "session_id": "s" * 256}] * 10_000}
        while (refused := owner.rpc(RECORD, typed)).code == 0:
            stored += 10_000 // POINTS
        assert refused.body["message"] == "Storage is busy or full"
        assert refused.headers["retry-after"] == "1"
        assert refused.body["details"][0]["@type"].endswith("google.rpc.RetryInfo")
        assert total(owner) == stored * POINTS
        assert owner.get(PATH + "/names").body == {"data": ["turns"]}
        (disk / "filler").unlink()
        deadline = time.monotonic() + 20
        while (answer := owner.post(PATH, batch(stored))).status != 200:
            is_unavailable(answer)
            assert time.monotonic() < deadline, "there is room, and nothing is recorded"
        assert total(owner) == (stored + 1) * POINTS
    assert full_stack.stop() == 0
    assert "Traceback" not in full_stack.log.read_text()
