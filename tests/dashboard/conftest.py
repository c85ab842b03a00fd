"""One Chromium and one product with demo data for all tests of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, TypeAlias

import pytest
import requests
from playwright.sync_api import Browser
from tests.dashboard.browser import ZONE, Visitor, chromium, chromium_path
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role

Visit: TypeAlias = Callable[..., Visitor]

_numbers = count(1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. It ends with its tests: while its event loop is there, no other test has one."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product with demo data."""
    # No product is started for tests that are skipped.
    chromium_path()
    started = start_stack(tmp_path_factory.mktemp("demo"), "--demo", VUMETER_ACCESS_LOG="false")
    output = started.log.with_name("stdout.log")
    until(lambda: "simulated calls" in output.read_text(), seconds=120)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def demo_key(demo: Stack) -> NewKey:
    """A key of the organization that has the demo data."""
    return demo.make_key("demo", Role.ADMIN)


@pytest.fixture
def visit(browser: Browser, demo: Stack) -> Iterator[Visit]:
    """Open a tab of a new browser profile. At the end no request has left the host."""
    visitors: list[Visitor] = []

    def start(stack: Stack = demo, *, width: int = 1440, **options: Any) -> Visitor:
        context = browser.new_context(
            **{
                "viewport": {"width": width, "height": 900},
                "timezone_id": ZONE,
                "locale": "en-GB",
                "reduced_motion": "reduce",
                **options,
            }
        )
        visitor = Visitor(stack=stack, context=context, page=context.new_page())
        visitor.listen()
        visitors.append(visitor)
        return visitor

    yield start
    for each in visitors:
        each.context.close()
    assert [each.foreign for each in visitors] == [[] for _ in visitors]
    assert [each.problems for each in visitors] == [[] for _ in visitors]


@pytest.fixture
def analyst(visit: Visit, demo_key: NewKey) -> Visitor:
    """Somebody signed in with a key of the demo data."""
    visitor = visit()
    visitor.open("#/metrics")
    visitor.sign_in(demo_key.bearer)
    return visitor


@pytest.fixture
def nobody(demo: Stack) -> NewKey:
    """A key of an organization that has recorded nothing."""
    return demo.make_key(f"Empty {next(_numbers)}", Role.OWNER)


@pytest.fixture
def asking(demo: Stack, demo_key: NewKey) -> Callable[..., requests.Response]:
    """Ask the API itself, with the key of the demo data."""
    headers = {
        "authorization": f"Bearer {demo_key.bearer}",
        "x-api-key": demo_key.key_id,
        "x-secret-key": demo_key.secret,
        "x-admin-token": "",
    }

    def ask(
        path: str, body: Any = None, *, accept: str = "application/json", **query: str
    ) -> requests.Response:
        answer = requests.request(
            "GET" if body is None else "POST",
            demo.rest_url + path,
            params=query,
            json=body,
            headers={name: value for name, value in headers.items() if value} | {"accept": accept},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer

    return ask
