"""Callers of the product whose metrics are scraped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.end_to_end.callers import Caller
from tests.end_to_end.conftest import connected, new_name, with_key
from tests.stack import Stack


@pytest.fixture(scope="session")
def anybody(stack: Stack) -> Iterator[Caller]:
    """A caller without a credential."""
    with connected(stack) as caller:
        yield caller


@pytest.fixture
def owner(anybody: Caller) -> Caller:
    """The owner of an organization that has recorded nothing."""
    return with_key(anybody, f"Scraped {new_name()}")
