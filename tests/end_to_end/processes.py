"""The processes of a product from outside: which they are, and what they take."""

from __future__ import annotations

from pathlib import Path

from tests.stack import Stack

PAGE_BYTES = 4096


def server_of(stack: Stack) -> int:
    """Return the process id of the server, or of the first of several."""
    return servers_of(stack)[0]


def servers_of(stack: Stack) -> list[int]:
    """Return the process ids of the servers, the one that writes first."""
    return sorted(pid for pid in stack.children() if "envoy" not in name_of(pid))


def envoy_of(stack: Stack) -> int:
    """Return the process id of Envoy."""
    (found,) = [pid for pid in stack.children() if "envoy" in name_of(pid)]
    return found


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def descriptors(pid: int) -> int:
    """Return how many file descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def anonymous_mb(pid: int) -> float:
    """Return the memory that a process has to itself, without the pages of files."""
    return int(_status(pid)["RssAnon"].split()[0]) * 1024 / 1e6


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return int(_status(pid)["Threads"])


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)
