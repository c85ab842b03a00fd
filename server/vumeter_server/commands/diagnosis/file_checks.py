"""The database file from outside: who may read it, where it lies, how much room there is."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vumeter_server.commands.diagnosis.finding import Finding, problem, size_text, warning

# Locks and shared memory do not work on these.
NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.")
MEMORY_FILE_SYSTEMS: Final = ("tmpfs", "ramfs", "overlay")
ROOM_AT_LEAST: Final = 100 << 20
ROOM_WANTED: Final = 1 << 30
# After a checkpoint SQLite cuts the log back to 64 MiB; it is longer while somebody reads for long.
LOG_AT_MOST: Final = 128 << 20
SUFFIXES: Final = ("", "-wal", "-shm", ".lock")

_ESCAPED = re.compile(r"\\(\d{3})")


def check_files(path: Path) -> Iterator[Finding]:
    """Yield what is found of a database file that exists, and of the files beside it."""
    files = [file for suffix in SUFFIXES if (file := Path(f"{path}{suffix}")).exists()]
    yield _modes(files)
    yield _owners(files)
    yield _file_system(path)
    yield _room(path)
    yield _log(path)


def _modes(files: list[Path]) -> Finding:
    check = "file modes"
    for file in files:
        if not os.access(file, os.R_OK | os.W_OK):
            return problem(
                check,
                f"{file.name} cannot be read and written by this user",
                "run as the user who owns the file",
            )
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            return warning(
                check,
                f"{file.name} has mode {mode:04o}: others may open it",
                f"chmod 600 {file}",
            )
    return Finding(check=check, found="only the owner may open the files")


def _owners(files: list[Path]) -> Finding:
    check = "owner"
    owner = files[0].stat().st_uid
    for file in files[1:]:
        if file.stat().st_uid != owner:
            return problem(
                check,
                f"{file.name} belongs to {_name(file.stat().st_uid)}, the database to"
                f" {_name(owner)}",
                f"chown {_name(owner)} {file}; run commands as the user of the server",
            )
    return Finding(check=check, found=_name(owner))


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _file_system(path: Path) -> Finding:
    check = "file system"
    kind = file_system_of(path)
    if kind is None:
        return Finding(check=check, found="unknown")
    if kind.startswith(NETWORK_FILE_SYSTEMS):
        return problem(
            check,
            f"{kind}, over a network: SQLite's locks and shared memory do not work there",
            "move the database to a local disk",
        )
    if kind in MEMORY_FILE_SYSTEMS:
        return warning(
            check,
            f"{kind}: the database is gone when the machine or the container is",
            "put the database on a disk or a volume",
        )
    return Finding(check=check, found=kind)


def file_system_of(path: Path) -> str | None:
    """Return the type of the file system that a file lies on, None where that is not known."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return None
    found: tuple[int, str] | None = None
    real = path.resolve()
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 8)), before.split()[4])
        # The last one that is mounted at a place hides the others.
        if real.is_relative_to(point) and (found is None or len(point) >= found[0]):
            found = len(point), after.split()[0]
    return found and found[1]


def _room(path: Path) -> Finding:
    check = "disk room"
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    size = path.stat().st_size
    found = f"{size_text(free)} free, the database has {size_text(size)}"
    if free < ROOM_AT_LEAST:
        return problem(check, found, "free space: recording ends with 503 when there is none")
    if free < max(ROOM_WANTED, size):
        return warning(check, found, "free space: an upgrade or a backup may not fit in")
    return Finding(check=check, found=found)


def _log(path: Path) -> Finding:
    check = "write-ahead log"
    log = Path(f"{path}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LOG_AT_MOST:
        return warning(
            check,
            size_text(size),
            "look for a program that keeps a read transaction open; the log shrinks after it",
        )
    return Finding(check=check, found=size_text(size))
