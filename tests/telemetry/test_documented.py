"""The page of own metrics and the code name the same metrics, of the same types and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from tests.documentation.pages import PAGES
from tests.stack import Stack
from tests.telemetry.scraping import scrape

from vumeter_server.live_metrics.own_metrics import METRICS
from vumeter_server.telemetry.exposition import UP
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.readings import BUILD, GAUGES
from vumeter_server.telemetry.tenants import LABEL

BASE_UNITS = ("seconds", "bytes", "info", "total", "up", "trusted", "damaged")
THINGS = ("jobs", "queries", "points", "organizations", "watchers", "calls", "in_flight", "fds")


class Described(NamedTuple):
    kind: str
    labels: frozenset[str]


def documented() -> dict[str, Described]:
    rows = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \|([^|]*)\|", PAGES["docs/own-metrics.md"], re.M
    )
    assert len({name for name, _, _ in rows}) == len(rows)
    return {
        name: Described(kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
    }


def of_the_code() -> dict[str, Described]:
    found: dict[str, Described] = {}
    instruments = Instruments()
    labels_of = {
        str(each._name): each._labelnames
        for each in vars(instruments).values()
        if hasattr(each, "_labelnames")
    }
    for metric in instruments.registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        found[name] = Described(metric.type, frozenset(labels_of.get(metric.name, ())))
    for gauge in GAUGES:
        found[gauge.name] = Described("gauge", frozenset({gauge.label} - {""}))
    for each in METRICS:
        labels = frozenset({LABEL, each.label} - {""})
        counter = Described("counter", labels), f"{each.name}_total"
        described, name = counter if each.is_counter else (Described("gauge", labels), each.name)
        found[name] = described
    found[UP] = Described("gauge", frozenset())
    found[f"{BUILD}_info"] = Described(
        "gauge", frozenset({"version", "python_version", "sqlite_version", "grpc_version"})
    )
    return found


CODE: Mapping[str, Described] = of_the_code()


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
