"""Scrapes, read as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import requests
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Series = tuple[str, tuple[tuple[str, str], ...]]


def families(text: str) -> Iterable[Metric]:
    """Read either format; raises ValueError for what is neither."""
    parse = read_openmetrics if text.endswith("# EOF\n") else read_text
    found: list[Metric] = list(parse(text))
    return found


class Scraped:
    """The series of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.series: dict[Series, float] = {}
        self.types: dict[str, str] = {}
        for family in families(text):
            assert family.name not in self.types, f"{family.name} is there twice"
            self.types[family.name] = family.type
            for sample in family.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                assert key not in self.series, f"{key} is there twice"
                self.series[key] = sample.value

    def value(self, name: str, **labels: str) -> float:
        """Add up the series that have these labels, 0 if none has."""
        return sum(
            value
            for (sample, at), value in self.series.items()
            if sample == name and labels.items() <= dict(at).items()
        )

    def labels(self, name: str) -> list[Mapping[str, str]]:
        """Return the labels of each series of a name."""
        return [dict(at) for sample, at in self.series if sample == name]


def scrape(url: str, accept: str = "") -> Scraped:
    """Scrape, and read what comes."""
    answer = requests.get(url, headers={"Accept": accept}, timeout=30)
    assert answer.status_code == 200
    return Scraped(answer.text)
