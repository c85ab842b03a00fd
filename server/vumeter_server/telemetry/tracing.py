"""Traces by OpenTelemetry, sent to a collector over OTLP; loaded only where they are asked for.

No span has a credential, a body, a value or the text of an exception among its attributes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import metadata
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from vumeter_server.runtime.settings import Settings
from vumeter_server.telemetry.spans import Attributes, start_spans_by

# As OpenTelemetry's conventions for servers have it: what is the caller's fault is no error.
_ERRORS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
_PROPAGATOR = TraceContextTextMapPropagator()
_PROPAGATED = ("traceparent", "tracestate")


class Tracing:
    """Starts spans and sends them in batches, on a thread; what cannot be sent is dropped."""

    def __init__(self, settings: Settings) -> None:
        """Begin; the variables OTEL_* of the SDK count for sampling, headers and batches."""
        resource = Resource.create(
            {
                "service.name": "vumeter",
                "service.version": metadata.version("vumeter"),
                "service.instance.id": f"worker-{settings.worker}",
            }
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(
            endpoint=settings.traces_endpoint,
            insecure=urlsplit(settings.traces_endpoint).scheme == "http",
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("vumeter")
        start_spans_by(self._start)

    def _start(self, name: str, attributes: Attributes) -> AbstractContextManager[object]:
        if not trace.get_current_span().get_span_context().is_valid:
            # Work beside the calls would be a trace of its own, each second.
            return contextlib.nullcontext()
        return self._tracer.start_as_current_span(
            name,
            attributes=attributes,
            # The text of an exception may hold what a caller sent.
            record_exception=False,
            set_status_on_exception=False,
        )

    def request(
        self, service: str, method: str, sent: Mapping[str, str | bytes]
    ) -> Callable[[str, int], None]:
        """Begin the span of a call, part of the trace that the caller's `traceparent` names.

        It is the parent of what is started in this task until it ends. Returns what ends it, which
        takes the name and the number of the status.
        """
        carrier = {name: sent[name] for name in _PROPAGATED if isinstance(sent.get(name), str)}
        span = self._tracer.start_span(
            f"{service}/{method}",
            context=_PROPAGATOR.extract(carrier, context=context.Context()),
            kind=trace.SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
        )
        # A call has a task, and so a context, of its own.
        context.attach(trace.set_span_in_context(span))

        def end(code: str, number: int) -> None:
            span.set_attribute("rpc.grpc.status_code", number)
            if code in _ERRORS:
                span.set_status(trace.StatusCode.ERROR)
            span.end()

        return end

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        start_spans_by(None)
        self._provider.shutdown()
