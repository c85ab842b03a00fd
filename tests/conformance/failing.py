"""How storage fails in a suite: each way is a context manager, within which writing fails.

A factory offers each of `FAILURES`. A store in memory has no disk and no lock: it has a flag.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

from vumeter_server.sqlite import Writer
from vumeter_server.sqlite.connections import BUSY_TIMEOUT_MS, connect_writer

FAILURES: Final = ("full", "locked")
"""A file that may not grow any more, and one that somebody else writes to and does not let go."""

Failure = Callable[[], AbstractAsyncContextManager[None]]

_NO_LIMIT_PAGES: Final = 2**32 - 2


async def _set(writer: Writer, pragma: str) -> Any:
    return await writer.run(lambda connection: connection.execute(pragma).fetchone())


def sqlite_failures(writer: Writer, path: Path) -> Mapping[str, Failure]:
    """Return how the file of a running writer fails.

    A full file takes what fits into pages that it has: a test has to write more than that.
    """

    @contextlib.asynccontextmanager
    async def full() -> AsyncIterator[None]:
        # SQLite takes no less than the pages that there are.
        await _set(writer, "PRAGMA max_page_count = 1")
        yield
        await _set(writer, f"PRAGMA max_page_count = {_NO_LIMIT_PAGES}")

    @contextlib.asynccontextmanager
    async def locked() -> AsyncIterator[None]:
        await _set(writer, "PRAGMA busy_timeout = 1")
        with contextlib.closing(connect_writer(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        await _set(writer, f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    return {"full": full, "locked": locked}


def memory_failures(set_unavailable: Callable[[bool], None]) -> Mapping[str, Failure]:
    """Return the same for a store in memory, which raises Unavailable while it was told so."""

    @contextlib.asynccontextmanager
    async def unavailable() -> AsyncIterator[None]:
        set_unavailable(True)
        yield
        set_unavailable(False)

    return dict.fromkeys(FAILURES, unavailable)
