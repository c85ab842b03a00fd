"""Chromium for the page of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.dashboard.browser import Visitor, chromium
from tests.stack import Stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. It ends with its tests: while its event loop is there, no other test has one."""
    with chromium() as started:
        yield started


@pytest.fixture
def reader(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """Somebody who reads the page. At the end no request has left the host, no script failed."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    visitor = Visitor(stack=stack, context=context, page=context.new_page())
    visitor.listen()
    yield visitor
    context.close()
    assert visitor.foreign == []
    assert visitor.problems == []
