"""Whether a file is in memory altogether, so that reading some rows of it waits for no disk."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path
from typing import Final

import numpy as np

# To look at a file of this size takes some 50 ms; larger ones are never said to be in memory.
LARGEST: Final = 8 << 30
LOOKS_EVERY_SECONDS: Final = 1.0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    *(ctypes.c_int,) * 3,
    ctypes.c_long,
)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_FAILED: Final = ctypes.c_void_p(-1).value


class Residency:
    """What the last look at a file said; `look` is called from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = 0.0
        self.is_in_memory = False

    @property
    def is_due(self) -> bool:
        """Whether the last look was more than a second ago."""
        return time.monotonic() - self._looked > LOOKS_EVERY_SECONDS

    def begin(self) -> None:
        """Say that somebody is about to look."""
        self._looked = time.monotonic()

    def look(self) -> None:
        """Ask the kernel which pages of the file are in memory; none is read or touched."""
        self.is_in_memory = _is_in_memory(self._path)


def _is_in_memory(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        size = os.fstat(descriptor).st_size
        if not 0 < size <= LARGEST:
            return False
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address in (None, _FAILED):
            return False
        try:
            pages = np.zeros(-(-size // mmap.PAGESIZE), np.uint8)
            failed = _libc.mincore(address, size, pages.ctypes.data)
            return not failed and bool((pages & 1).all())
        finally:
            _libc.munmap(address, size)
    finally:
        os.close(descriptor)
