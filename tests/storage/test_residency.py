"""Whether a file is in memory is asked of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

from vumeter_server.storage.residency import Residency


def test_a_file_that_was_just_written_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1_000_000))
    residency = Residency(path)
    assert residency.is_due
    assert not residency.is_in_memory
    residency.begin()
    residency.look()
    assert residency.is_in_memory
    assert not residency.is_due


def test_a_file_that_the_kernel_has_let_go_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(os.urandom(1_000_000))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        residency = Residency(path)
        residency.look()
    # A file system that keeps its files in memory alone has nowhere to let them go to.
    assert not residency.is_in_memory or _is_memory_alone(path)


def _is_memory_alone(path: Path) -> bool:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    mount = max((each for each in mounts if str(path).startswith(each[0])), key=lambda e: len(e[0]))
    return mount[1] in {"tmpfs", "ramfs"}


def test_no_file_and_an_empty_one_are_not_in_memory(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "missing"):
        residency = Residency(tmp_path / name)
        residency.look()
        assert not residency.is_in_memory
