"""Every call is observed: counted, measured, traced."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc
import grpc.aio

from vumeter_server.api.call import Call
from vumeter_server.telemetry.instruments import Instruments

HEALTH: Final = "grpc.health.v1.Health"

End = Callable[[grpc.StatusCode], None]
"""Is called with the status of a call when it has ended."""
Begin = Callable[[Call], End]
"""Is called when a call begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """A method, by its full name; `is_stream` where either side sends a stream."""

    method: str
    is_stream: bool


class Observer(Protocol):
    """Wants to know of every call."""

    def of_method(self, method: Observed) -> Begin:
        """Return what is called when a call of that method begins."""


@contextlib.contextmanager
def observing(observations: Sequence[Begin], call: Call) -> Iterator[None]:
    """Observe a call from its begin to the status with which it ends."""
    ends = [begin(call) for begin in observations]
    status = grpc.StatusCode.UNKNOWN
    try:
        yield
        status = grpc.StatusCode.OK
    except (asyncio.CancelledError, GeneratorExit):
        status = grpc.StatusCode.CANCELLED
        raise
    except grpc.aio.AbortError:
        status = call.ended_with or status
        raise
    finally:
        for end in ends:
            end(status)


class Tracer(Protocol):
    """Begins the span of a call; see telemetry.tracing.Tracing."""

    def request(
        self, service: str, method: str, sent: Mapping[str, str | bytes]
    ) -> Callable[[str, int], None]:
        """Return what ends the span, with the name and the number of the status."""


def _ignore(status: grpc.StatusCode) -> None:
    return None


@dataclass(frozen=True, slots=True)
class RequestTracing:
    """Traces calls."""

    tracer: Tracer

    def of_method(self, method: Observed) -> Begin:
        """Return what traces a call of that method."""
        service, _, name = method.method.rpartition(".")
        if service == HEALTH:
            # Proxies ask for it each second.
            return lambda call: _ignore

        def begin(call: Call) -> End:
            end_span = self.tracer.request(service, name, call.metadata)
            return lambda status: end_span(status.name, status.value[0])

        return begin


@dataclass(frozen=True, slots=True)
class RequestMetrics:
    """Counts calls, and measures how long they take."""

    instruments: Instruments

    def of_method(self, method: Observed) -> Begin:
        """Return what counts a call of that method."""
        # Methods that are never called have no series.
        series: list[_Series] = []

        def begin(call: Call) -> End:
            if not series:
                series.append(_Series(self.instruments, method))
            return series[0].begin()

        return begin


class _Series:
    """The series of one method."""

    def __init__(self, instruments: Instruments, method: Observed) -> None:
        self._method = method.method
        self._requests = instruments.requests
        self._in_flight = instruments.requests_in_flight.labels(method.method)
        self._seconds = (
            None if method.is_stream else instruments.request_seconds.labels(method.method)
        )
        self._by_status: dict[grpc.StatusCode, Any] = {}

    def begin(self) -> End:
        self._in_flight.inc()
        started = time.perf_counter()

        def end(status: grpc.StatusCode) -> None:
            self._in_flight.dec()
            if self._seconds is not None:
                self._seconds.observe(time.perf_counter() - started)
            counter = self._by_status.get(status)
            if counter is None:
                counter = self._requests.labels(self._method, status.name)
                self._by_status[status] = counter
            counter.inc()

        return end
