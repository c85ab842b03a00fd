"""Every store, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conformance.simulation.engines import ENGINES, Engine

from vumeter_server.simulation.store import SimulationStore


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """A place that keeps data, and holds none yet."""
    return ENGINES[request.param](tmp_path)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[SimulationStore]:
    """A store that holds nothing yet."""
    async with engine.opened() as opened:
        yield opened
