"""Every store, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conformance.access.engines import ENGINES, Engine, SteppedClock

from vumeter_server.access.store import KeyAdministration, KeyLookup


@pytest.fixture
def clock() -> SteppedClock:
    """The clock of the store."""
    return SteppedClock()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: SteppedClock) -> Engine:
    """A place that holds nothing yet."""
    return ENGINES[request.param](tmp_path, clock)


@pytest.fixture
def administration(engine: Engine) -> KeyAdministration:
    """The side of the commands."""
    return engine.administration


@pytest.fixture
async def lookup(engine: Engine) -> AsyncIterator[KeyLookup]:
    """The side of a server's process."""
    async with engine.lookup() as opened:
        yield opened
