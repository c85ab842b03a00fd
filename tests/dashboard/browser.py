"""A real Chromium that looks at the dashboard of a running product."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Locator,
    Page,
    expect,
    sync_playwright,
)
from tests.stack import Stack

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# No test fails because it was slow on a busy machine.
expect.set_options(timeout=40_000)

ZONE = "Europe/Berlin"
STORAGE = "vumeter.credentials"


def chromium_path() -> str:
    """Return where Chromium is; skip the test if there is none."""
    named = os.environ.get("VUMETER_TEST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("needs Chromium: apt-get install chromium, or VUMETER_TEST_CHROMIUM=<path>")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium without a window."""
    path = chromium_path()
    # A container has no namespaces to make a sandbox of, and root may not have one.
    arguments = ["--no-sandbox"] if sys.platform == "linux" else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=arguments)
        except Error as error:
            pytest.skip(f"{path} does not start: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@dataclass(kw_only=True, slots=True)
class Visitor:
    """Somebody with a browser tab of their own.

    `foreign` and `problems` are what no test may see: requests to another host, errors of scripts.
    """

    stack: Stack
    context: BrowserContext
    page: Page
    foreign: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Note every request and every problem from now on."""
        own = urlsplit(self.stack.rest_url).netloc

        def note(url: str) -> None:
            if (
                urlsplit(url).scheme not in ("blob", "data", "about")
                and urlsplit(url).netloc != own
            ):
                self.foreign.append(url)

        self.page.on("request", lambda request: note(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(error.stack or str(error)))
        self.page.on("console", lambda message: self._note_console(message.type, message.text))

    def _note_console(self, kind: str, text: str) -> None:
        # That a request failed is told by the browser itself, and expected where a test makes it.
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.problems.append(text)

    def open(self, place: str = "") -> None:
        """Load the dashboard at a place such as `#/metrics?range=7d`.

        Another fragment alone would load nothing, and what was shown before could be taken for it.
        """
        self.page.goto("about:blank")
        self.page.goto(f"{self.stack.rest_url}/ui/{place}")

    def sign_in(self, secret: str) -> None:
        """Sign in with a key or the admin token, by the form."""
        self.page.get_by_label("Key or admin token").fill(secret)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", level=1).and_(
            self.page.locator(":not(#sign-in)")
        ).wait_for()

    def panel(self, title: str) -> Locator:
        """Return the panel of that title."""
        return self.page.get_by_role("region", name=title, exact=True).and_(
            self.page.locator(".panel")
        )

    def choice(self, label: str) -> Locator:
        """Return the list that is chosen from under that label."""
        return self.page.get_by_role("combobox", name=label, exact=True)

    def saved_csv(self, title: str) -> str:
        """Return the CSV that a panel saves."""
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=f"Save {title} as CSV").click()
        # Not read_text, which would make line ends of CRLF.
        return Path(waiting.value.path()).read_bytes().decode()

    def stored(self) -> dict[str, Any]:
        """Return what the tab keeps of who is signed in."""
        text = self.page.evaluate(f"sessionStorage.getItem('{STORAGE}')")
        return json.loads(text) if text else {}

    def cells(self, table: str) -> list[list[str]]:
        """Return the texts of a table's body, row by row."""
        rows = self.page.get_by_role("table", name=table, exact=True).locator("tbody tr")
        rows.first.wait_for()
        return [
            [re.sub(r"\s+", " ", cell).strip() for cell in row.locator("th, td").all_inner_texts()]
            for row in rows.all()
        ]


def number(text: str) -> float:
    """Read a number as the dashboard writes it, without its unit."""
    found = re.match(r"-?[\d,]+(\.\d+)?", text)
    assert found, text
    return float(found[0].replace(",", ""))
