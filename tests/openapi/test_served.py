"""The document and the page that shows it, as the product serves them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect
from tests.dashboard.browser import Visitor
from tests.openapi.reading import DOCUMENT, FILE
from tests.stack import Stack

from vumeter_server.access.roles import Role

GENERATED = Path(__file__).resolve().parents[2] / "generated" / "docs"
MOST_BYTES = 2_000_000


def get(stack: Stack, path: str) -> requests.Response:
    return requests.get(stack.rest_url + path, timeout=30)


def test_the_document_is_that_of_the_checkout(stack: Stack) -> None:
    answer = get(stack, "/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == FILE.read_bytes()


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_page_and_all_that_it_loads(stack: Stack, path: str) -> None:
    page = get(stack, path)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-cache"
    named = re.findall(r'(?:href|src)="(assets/[^"]+)"', page.text)
    assert sorted(named) == sorted(
        f"assets/{path.name}"
        for path in (GENERATED / "assets").iterdir()
        if not path.name.startswith("LICENSE")
    )
    for name in named:
        asset = get(stack, f"/docs/{name}")
        assert asset.status_code == 200
        assert asset.content == (GENERATED / name).read_bytes()
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["x-content-type-options"] == "nosniff"


def test_the_files_keep_to_their_budget() -> None:
    sizes = [path.stat().st_size for path in (GENERATED / "assets").iterdir()]
    assert sum(sizes) <= MOST_BYTES


def test_the_page_allows_nothing_that_is_not_its_own(stack: Stack) -> None:
    page = get(stack, "/docs/")
    policy = dict(
        each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy.keys().isdisjoint({"script-src", "style-src", "connect-src"})
    assert not any("unsafe" in each or "http" in each for each in policy.values())
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=|https?://", page.text)


@pytest.mark.parametrize("name", ["docs.js", "..%2Findex.html", "%2Fetc%2Fpasswd"])
def test_other_files_are_not_there(stack: Stack, name: str) -> None:
    answer = get(stack, f"/docs/assets/{name}")
    assert (answer.status_code, answer.json()["message"]) == (404, "Not found")


def test_the_page_shows_every_operation(reader: Visitor) -> None:
    reader.page.goto(f"{reader.stack.rest_url}/docs/")
    shown = reader.page.locator(".opblock-summary-path")
    expect(shown).to_have_count(sum(map(len, DOCUMENT["paths"].values())))


def test_a_request_can_be_sent_from_the_page(reader: Visitor, stack: Stack) -> None:
    key = stack.make_key("Docs", Role.ADMIN)
    page = reader.page
    page.goto(f"{stack.rest_url}/docs/")
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_label("auth-bearer-value").fill(key.bearer)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close").first.click()
    caller = page.locator("#operations-credentials-getCaller")
    caller.locator("button.opblock-summary-control").click()
    caller.get_by_role("button", name="Execute").click()
    answer = caller.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("200")
    expect(answer).to_contain_text('"organization": "Docs"')
    # What was shown stays in the page.
    assert page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage))") == []
