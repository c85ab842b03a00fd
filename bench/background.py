"""Work that goes on beside what is measured."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work` in a thread until the context ends, which sets its event.

    Raises what `work` raises, so that nothing is measured beside work that has failed.
    """
    stop = threading.Event()
    failed: list[Exception] = []

    def run() -> None:
        try:
            work(stop)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]
