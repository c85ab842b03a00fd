"""The page of own metrics and the code name the same metrics, of the same types and labels."""

from __future__ import annotations

import re

import pytest
from tests.documentation.pages import PAGES
from tests.stack import Stack
from tests.telemetry.metrics_of_the_code import CODE, Described
from tests.telemetry.scraping import scrape

BASE_UNITS = ("seconds", "bytes", "info", "total", "up", "trusted", "damaged")
THINGS = ("jobs", "queries", "points", "organizations", "watchers", "calls", "in_flight", "fds")


def documented() -> dict[str, Described]:
    rows = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \|([^|]*)\|", PAGES["docs/own-metrics.md"], re.M
    )
    assert len({name for name, _, _ in rows}) == len(rows)
    return {
        name: Described(kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
    }


def test_the_page_names_every_metric_of_the_code_and_no_other() -> None:
    assert documented() == CODE


@pytest.mark.parametrize("name", CODE)
def test_names_say_what_is_counted_in_base_units(name: str) -> None:
    assert name.startswith(("vumeter_", "process_"))
    assert name.endswith((*BASE_UNITS, *THINGS))
    assert (CODE[name].kind == "counter") == name.endswith("_total")


def test_a_scrape_shows_no_metric_that_the_page_does_not_name(stack: Stack) -> None:
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        if re.sub(r"_(bucket|sum|count)$", "", name) in CODE
        else name
        for name, _ in scrape(stack.metrics_url).series
    }
    assert shown <= CODE.keys()
    # Only what is of tenants is not there from the start.
    missing = {name for name in CODE.keys() - shown if not name.startswith("vumeter_live_")}
    assert missing == set()
