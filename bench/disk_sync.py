"""How long the disk itself takes to sync, beside what is measured."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.background import in_background

PAUSE_SECONDS: Final = 0.02
BYTES: Final = 4096


@dataclass(slots=True)
class DiskSyncs:
    """Syncs a small file of its own again and again; knows how long the slowest sync took.

    What waits for a sync of the same disk at that time waits as long, whatever it does.
    """

    directory: Path
    longest: float = 0.0

    @contextlib.contextmanager
    def syncing(self) -> Iterator[None]:
        """Sync for the length of the context."""
        self.longest = 0.0
        descriptor = os.open(self.directory / "sync", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)

        def sync(stop: threading.Event) -> None:
            while not stop.wait(PAUSE_SECONDS):
                started = time.perf_counter()
                os.pwrite(descriptor, bytes(BYTES), 0)
                os.fdatasync(descriptor)
                self.longest = max(self.longest, time.perf_counter() - started)

        try:
            with in_background(sync):
                yield
        finally:
            os.close(descriptor)
