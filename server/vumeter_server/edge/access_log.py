"""The file of the access log, which stays small: the last lines, and those of one file before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import structlog

LOOKED_AT_EVERY_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class AccessLogFile:
    """A file that Envoy appends to. It is read by its owner alone."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Take where it is, and from which size on it is put aside."""
        self._path = path
        self._max_bytes = max_bytes

    def create(self) -> None:
        """Create the file if there is none; raises OSError if that cannot be."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))

    def rotate(self) -> bool:
        """Put the file aside as `<name>.1` if it is large; return whether it was.

        The one that was put aside before goes.
        """
        if self._path.exists() and self._path.stat().st_size < self._max_bytes:
            return False
        if self._path.exists():
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self.create()
        return True

    async def keep_small(self, reopen: Callable[[], None]) -> NoReturn:
        """Look at the size now and then; `reopen` has to make Envoy open the file again."""
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY_SECONDS)
            try:
                if await asyncio.to_thread(self.rotate):
                    reopen()
            except OSError:
                # A full disk stops no request; the next look tries again.
                _log.exception("access_log_not_rotated")
