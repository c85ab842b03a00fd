"""Background work that ends after some of its transactions, and what is seen then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.custom_metrics.asking import Practice

from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.errors import Unavailable
from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.writer import Writer

SESSIONS = [f"session_{number}" for number in range(40)]


def everything(practice: Practice) -> list[Any]:
    """Return all that can be seen."""
    return [practice.everything(), *(practice.session(name) for name in SESSIONS)]


def problems(path: Path) -> list[str]:
    """Return what `vumeter db check` finds."""
    return open_database(path / "vumeter.db").read(lambda c: list(find_problems(c)))


@contextlib.contextmanager
def ends_after(jobs: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let the writer do so many jobs more, and then no other."""
    done = [0]
    run = Writer.run

    async def run_some(self: Writer, job: Callable[..., Any], **more: Any) -> Any:
        if done[0] == jobs:
            raise Unavailable("Shutting down")
        done[0] += 1
        return await run(self, job, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "run", run_some)
        yield done
