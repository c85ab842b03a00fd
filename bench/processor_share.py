"""Processes that may use a part of a core each, as if they had a smaller machine of their own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")
PERIOD_US: Final = 20_000


@contextlib.contextmanager
def limited_to(cores: float, pids: Sequence[int]) -> Iterator[bool]:
    """Let processes have so much of the processor together for the length of the context.

    The context is False where this user may not limit them, and they are not limited.
    """
    # The first version of control groups has a tree for each resource, the second has one for all.
    is_first = (CONTROL_GROUPS / "cpu").is_dir()
    parent = CONTROL_GROUPS / "cpu" if is_first else CONTROL_GROUPS
    group = parent / f"bench-{os.getpid()}-{pids[0]}"
    quota_us = int(cores * PERIOD_US)
    made = moved = False
    try:
        try:
            group.mkdir()
            made = True
            if is_first:
                (group / "cpu.cfs_period_us").write_text(f"{PERIOD_US}")
                (group / "cpu.cfs_quota_us").write_text(f"{quota_us}")
            else:
                (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
            for pid in pids:
                (group / "cgroup.procs").write_text(f"{pid}")
            moved = True
        except OSError:
            pass
        yield moved
    finally:
        if made:
            for still_there in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (parent / "cgroup.procs").write_text(still_there)
            group.rmdir()
