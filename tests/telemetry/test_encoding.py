"""Our text is that of prometheus_client, whatever the values and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from vumeter_server.telemetry.encoding import encode

VALUES = st.floats() | st.integers(0, 10**15).map(float)
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from('\\"\n{}, '), max_size=12)
LABELLED = st.lists(st.tuples(TEXTS, TEXTS, VALUES), max_size=3)


class Given(Collector):
    def __init__(self, found: Sequence[Metric]) -> None:
        self.found = found

    def collect(self) -> Iterator[Metric]:
        yield from self.found


@st.composite
def collectors(draw: st.DrawFn) -> Given:
    labels = ["tenant_id", "code"]
    counter = CounterMetricFamily("vumeter_requests", "Calls.", labels=labels)
    gauge = GaugeMetricFamily("vumeter_cache_bytes", "Cached.", labels=labels, unit="bytes")
    for first, second, value in draw(LABELLED):
        counter.add_metric([first, second], value)
        gauge.add_metric([first, second], value)
    histogram = HistogramMetricFamily("vumeter_commit_duration_seconds", "Time.", unit="seconds")
    histogram.add_metric([], [("0.5", draw(VALUES)), ("+Inf", draw(VALUES))], draw(VALUES))
    info = InfoMetricFamily("vumeter_build", "Versions.", value={"version": draw(TEXTS)})
    return Given([counter, gauge, histogram, info])


@given(collectors())
def test_the_text_format_is_that_of_the_client(given: Given) -> None:
    registry = CollectorRegistry()
    registry.register(given)
    assert encode(registry, openmetrics=False) == generate_latest(registry).decode()


@given(collectors())
def test_openmetrics_is_that_of_the_client(given: Given) -> None:
    registry = CollectorRegistry()
    registry.register(given)
    assert encode(registry, openmetrics=True) == generate_openmetrics(registry).decode()
