"""Every test of the suite runs once per store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.custom_metrics.factories import FACTORIES, Factory, SteppedClock, Subject


@pytest.fixture(params=list(FACTORIES.values()), ids=list(FACTORIES))
def factory(request: pytest.FixtureRequest) -> Factory:
    found: Factory = request.param
    return found


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def subject(factory: Factory, tmp_path: Path, clock: SteppedClock) -> Iterator[Subject]:
    with factory(tmp_path, clock) as opened:
        yield opened
