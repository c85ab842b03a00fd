"""What a server process asks of its allocators, so that memory stays small and pauses short."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

COLLECT_AFTER_ALLOCATIONS: Final = 50_000
LARGE_ARRAY_BYTES: Final = 1 << 20


def keep_heap_small() -> None:
    """Let glibc return what large arrays took, and its threads share one heap."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_threshold, m_arena_max = -1, -3, -8
        # A heap per thread would keep what it once took.
        mallopt(m_arena_max, 1)
        # Left alone, glibc takes ever larger arrays from the heap, where what is freed stays.
        mallopt(m_mmap_threshold, LARGE_ARRAY_BYTES)
        mallopt(m_trim_threshold, 16 * LARGE_ARRAY_BYTES)


def keep_what_is_loaded() -> None:
    """Leave what is loaded by now out of garbage collection.

    Looking through it again and again would stop every call for as long as that takes; calls leave
    little that reference counting does not free.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_ALLOCATIONS)
