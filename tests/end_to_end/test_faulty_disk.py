"""A disk that reports errors, and one that hangs: nothing that was acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.commands.command import try_vumeter, vumeter
from tests.disks import FileSystem, file_system
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.killing import asking
from tests.end_to_end.recorders import RECORD, TEN_YEARS
from tests.end_to_end.repeating import PATH, POINT, end, recordings_of
from tests.stack import ADMIN_TOKEN, Stack, start_stack

UNAVAILABLE = (503, 14, "Storage is busy or full")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FileSystem]:
    with file_system(tmp_path, 64) as made:
        yield made


def start(directory: Path, disk: FileSystem) -> Stack:
    path = disk.path / "vumeter.db"
    stack = start_stack(directory, "--db", str(path), VUMETER_ACCESS_LOG="false")
    return replace(stack, db_path=path)


def described(answer: Answer) -> tuple[int, int, str]:
    return answer.status, answer.code, answer.message


def turns(caller: Caller) -> int:
    return int(caller.get(PATH + "/aggregate", **TEN_YEARS).body["data"]["turns"])


def test_a_disk_that_becomes_read_only_takes_nothing_and_answers_what_it_has(
    tmp_path: Path, disk: FileSystem
) -> None:
    stack = start(tmp_path, disk)
    key = stack.make_key()
    with asking(stack, key) as caller:
        for _ in range(3):
            assert caller.post(PATH, POINT).status == 200
        disk.fail()
        for _ in range(3):
            assert described(caller.post(PATH, POINT)) == UNAVAILABLE
        assert caller.rpc(RECORD, POINT).message == UNAVAILABLE[2]
        assert turns(caller) == 3
        assert caller.get(PATH + "/names").body == {"data": ["turns"]}
    assert stack.stop() == 0
    assert "Traceback" not in stack.log.read_text()
    # No start on it either: one line says why.
    refused = try_vumeter(
        "serve", "--grpc-port", "0", db=stack.db_path, VUMETER_ADMIN_TOKEN=ADMIN_TOKEN
    )
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith("vumeter: ")
    disk.unmount()
    # As after a restart of the machine.
    disk.mount()
    stack = start(tmp_path, disk)
    with asking(stack, key) as caller:
        assert turns(caller) == 3
        assert caller.post(PATH, POINT).status == 200
        assert turns(caller) == 4
    stack.stop()
    assert vumeter("db", "check", db=stack.db_path) == "no problem found\n"


def test_while_a_disk_hangs_callers_are_told_in_time_and_then_all_is_there_once(
    tmp_path: Path, disk: FileSystem
) -> None:
    stack = start(tmp_path, disk)
    key = stack.make_key()
    with asking(stack, key) as caller:
        assert caller.post(PATH, POINT).status == 200
        disk.freeze()
        recordings = recordings_of(stack, key, once=True)
        # What does not need the disk goes on.
        live = caller.showing({"x-admin-token": ADMIN_TOKEN}).get("/api/v1/metrics/live")
        assert live.body["active_calls"] == 0
        query = caller.get(PATH + "/aggregate", **TEN_YEARS)
        assert query.status in (200, 503, 504)
        typed = caller.rpc(RECORD, POINT, timeout=2)
        assert typed.code in (4, 14)
        disk.thaw()
        assert len(end(recordings)) == 10
        assert {told for each in recordings for told in each.refused} <= {(503, 14), (504, 4)}
        # The one that gave up may be recorded or not.
        assert turns(caller) in (11, 12)
    assert stack.stop() == 0
    assert "Traceback" not in stack.log.read_text()
    assert vumeter("db", "check", db=stack.db_path) == "no problem found\n"
