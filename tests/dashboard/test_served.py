"""How the dashboard is served: with which headers, how large, and from nowhere else."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect
from tests.dashboard.browser import Visitor
from tests.stack import Stack

GENERATED = Path(__file__).resolve().parents[2] / "generated" / "dashboard"
MOST_SCRIPT_BYTES = 150_000
MOST_STYLE_BYTES = 20_000


def get(stack: Stack, path: str) -> requests.Response:
    return requests.get(stack.rest_url + path, timeout=30)


def test_the_scripts_keep_to_their_budget() -> None:
    scripts = [path.read_bytes() for path in (GENERATED / "assets").glob("*.js")]
    assert sum(map(len, scripts)) <= MOST_SCRIPT_BYTES
    assert sum(len(gzip.compress(each)) for each in scripts) <= MOST_SCRIPT_BYTES // 2
    (styles,) = (GENERATED / "assets").glob("*.css")
    assert len(styles.read_bytes()) <= MOST_STYLE_BYTES


def test_the_page_and_all_that_it_loads(stack: Stack) -> None:
    page = get(stack, "/ui/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-cache"
    named = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert sorted(named) == sorted(
        f"assets/{path.name}"
        for path in (GENERATED / "assets").iterdir()
        if not path.name.startswith("LICENSE")
    )
    for name in named:
        asset = get(stack, f"/ui/{name}")
        assert asset.status_code == 200
        assert asset.content == (GENERATED / name).read_bytes()
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["x-content-type-options"] == "nosniff"


def test_the_page_allows_nothing_that_is_not_its_own(stack: Stack) -> None:
    page = get(stack, "/ui/")
    policy = dict(
        each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not any("unsafe" in each or "http" in each for each in policy.values())
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=|https?://", page.text)


@pytest.mark.parametrize("name", ["app.js", "..%2Findex.html", "%2Fetc%2Fpasswd", "x" * 300])
def test_other_files_are_not_there(stack: Stack, name: str) -> None:
    answer = get(stack, f"/ui/assets/{name}")
    assert (answer.status_code, answer.json()["message"]) == (404, "Not found")


def test_the_policy_stops_scripts_from_elsewhere(analyst: Visitor) -> None:
    stopped = analyst.page.evaluate(
        """() => new Promise((done) => {
            const told = (event) => done(event.effectiveDirective);
            document.addEventListener("securitypolicyviolation", told);
            const script = document.createElement("script");
            script.textContent = "window.wasRun = true";
            document.body.append(script);
        })"""
    )
    assert stopped == "script-src-elem"
    assert analyst.page.evaluate("window.wasRun") is None
    # That is what this test made the browser say.
    analyst.problems.clear()


def test_a_page_behind_a_path_finds_its_files(analyst: Visitor) -> None:
    analyst.page.goto(f"{analyst.stack.rest_url}/")
    expect(analyst.page.get_by_role("link", name="Metrics")).to_be_visible()
    assert analyst.page.url.startswith(f"{analyst.stack.rest_url}/ui/#/")
