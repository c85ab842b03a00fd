"""Every test of the suite runs once per store."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.live_metrics.factories import FACTORIES, Factory, Storage


@pytest.fixture(params=list(FACTORIES.values()), ids=list(FACTORIES))
def factory(request: pytest.FixtureRequest) -> Factory:
    found: Factory = request.param
    return found


@pytest.fixture
def storage(factory: Factory, tmp_path: Path) -> Storage:
    """Empty storage, on which a test opens one store after another."""
    return factory(tmp_path)
