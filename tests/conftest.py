"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.stack import Stack, start_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One product for all tests that do not end it or look at its processes.

    Tests keep out of each other's way by organizations of their own.
    """
    started = start_stack(tmp_path_factory.mktemp("stack"), VUMETER_ACCESS_LOG="false")
    yield started
    started.stop()
