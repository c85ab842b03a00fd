"""An agent in Python with OpenTelemetry's own SDK and exporters."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import metric_exporter as over_http
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from tests.otlp.sending import Sender

DELTA = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)
EXPONENTIAL = {Histogram: ExponentialBucketHistogramAggregation()}


def exporter_of(
    sender: Sender, transport: str, temporality: Any, aggregation: Any
) -> MetricExporter:
    options: dict[str, Any] = {
        "headers": sender.headers,
        "timeout": 20,
        "preferred_temporality": temporality,
        "preferred_aggregation": aggregation,
    }
    if transport == "grpc":
        return over_grpc.OTLPMetricExporter(sender.stack.edge_target, insecure=True, **options)
    return over_http.OTLPMetricExporter(f"{sender.stack.rest_url}/v1/metrics", **options)


class Agent:
    """An agent's process with an SDK of its own."""

    def __init__(self, exporter: MetricExporter, **resource: str) -> None:
        self.provider = MeterProvider(
            [PeriodicExportingMetricReader(exporter, export_interval_millis=10_000_000)],
            resource=Resource({"service.name": "reception", **resource}),
            shutdown_on_exit=False,
        )
        meter = self.provider.get_meter("agent")
        self.calls = meter.create_counter("app.calls", unit="{call}", description="Calls handled")
        self.latency = meter.create_histogram("app.latency", unit="s")
        self.active = meter.create_up_down_counter("app.active")

    def export(self) -> None:
        assert self.provider.force_flush(20_000)
