"""A read that waits for the disk leaves the next ones to threads."""

from __future__ import annotations

import os
from pathlib import Path

from vumeter_server.sqlite.disk_reads import LEFT_AFTER_A_WAIT, DiskReads, disk_reads


def test_after_a_wait_for_the_disk_a_hundred_reads_are_left_to_threads() -> None:
    waits = [0]
    reads = DiskReads(lambda: waits[0])

    def waiting() -> str:
        waits[0] += 1
        return "read"

    assert reads.are_unlikely()
    assert reads.watch(lambda: "read") == "read"
    assert reads.are_unlikely()
    assert reads.watch(waiting) == "read"
    assert [reads.are_unlikely() for _ in range(LEFT_AFTER_A_WAIT)] == [
        *[False] * (LEFT_AFTER_A_WAIT - 1),
        True,
    ]


def test_reading_what_was_just_written_waits_for_no_disk(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(100_000))
    before = disk_reads()
    path.read_bytes()
    assert disk_reads() == before
