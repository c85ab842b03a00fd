"""Whether rows can be read where everybody waits for it: learnt from what reading them has cost."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

# After a read that had to wait for the disk, so many are left to threads. So of all reads that
# everybody waits for at most one in a hundred does, even where nothing is in memory.
LEFT_AFTER_A_WAIT: Final = 100

# Only Linux counts for each thread. Elsewhere the reads of other threads count too, so that more is
# left to threads than has to be.
_WHOSE: Final = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)


def disk_reads() -> int:
    """Return how often the calling thread has waited for a disk to read so far."""
    usage = resource.getrusage(_WHOSE)
    return usage.ru_inblock + usage.ru_majflt


class DiskReads:
    """Keeps account of one thread's reads."""

    def __init__(self, count: Callable[[], int] = disk_reads) -> None:
        self._count = count
        self._left = 0

    def are_unlikely(self) -> bool:
        """Whether the next read will probably find everything in memory."""
        if self._left:
            self._left -= 1
        return not self._left

    def watch(self, read: Callable[[], T]) -> T:
        """Read, and learn from it."""
        before = self._count()
        try:
            return read()
        finally:
            if self._count() != before:
                self._left = LEFT_AFTER_A_WAIT
