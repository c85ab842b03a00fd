"""Small disks of their own, which tests fill up, freeze or make read-only."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a disk in memory below `directory`; where that is not allowed the test is skipped."""
    mounted = directory / "disk"
    mounted.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(mounted))
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def make_read_only(disk: Path) -> None:
    """Let a small disk take nothing more."""
    _mount("-o", "remount,ro", str(disk))


def fill_up(disk: Path) -> None:
    """Take what room is left on a small disk."""
    with contextlib.suppress(OSError), (disk / "padding").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


class FileSystem:
    """An ext4 file system in a file, mounted: it can be told to hang, or to fail."""

    def __init__(self, directory: Path, mebibytes: int) -> None:
        self.path = directory / "disk"
        self._image = directory / "disk.ext4"
        self._is_frozen = False
        self.path.mkdir()
        with self._image.open("wb") as file:
            file.truncate(mebibytes << 20)
        try:
            subprocess.run(["mkfs.ext4", "-q", str(self._image)], check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            pytest.skip("a file system cannot be made: there is no mkfs.ext4")
        self.mount()

    def mount(self, *options: str) -> None:
        _mount("-o", ",".join(("loop", *options)), str(self._image), str(self.path))

    def fail(self) -> None:
        """Do what Linux does when a disk reports errors: take nothing more."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.path)], check=True)

    def freeze(self) -> None:
        """Let whoever writes wait until `thaw`."""
        subprocess.run(["fsfreeze", "--freeze", str(self.path)], check=True)
        self._is_frozen = True

    def thaw(self) -> None:
        self._is_frozen = False
        subprocess.run(["fsfreeze", "--unfreeze", str(self.path)], check=True)

    def unmount(self) -> None:
        # Whoever waits for a frozen disk cannot even be killed.
        if self._is_frozen:
            self.thaw()
        subprocess.run(["umount", str(self.path)], check=True)


@contextlib.contextmanager
def file_system(directory: Path, mebibytes: int) -> Iterator[FileSystem]:
    """Give a file system below `directory`; where that is not allowed the test is skipped."""
    made = FileSystem(directory, mebibytes)
    yield made
    made.unmount()


def _mount(*arguments: str) -> None:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("a small disk cannot be mounted: there is no mount command")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
