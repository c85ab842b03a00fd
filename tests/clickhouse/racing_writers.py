"""Writers of every family that race each other, and know what has to be there in the end.

Each writes round after round through any server, and asks again until it knows what was done.
"""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as otlp_pb
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics_pb
from tests.clickhouse.killed_servers import KilledServers, Reply
from tests.conformance.live_metrics.records import Records
from tests.end_to_end.other_recorders import execution_of
from tests.live_metrics.many_events import NINE, as_event, some_events

from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb

OK: Final = grpc.StatusCode.OK
LOST: Final = (grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.ABORTED)
"""What the one is told who comes second with other content."""
REPEATED: Final = 0.2
SERIES: Final = 3
# Of a series that started long ago the first value counts nothing.
STARTED_NS: Final = time.time_ns() - 60 * 10**9
RECORD_POINTS: Final = "vumeter.custom_metrics.v1.CustomMetricsService/RecordPoints"
EXPORT: Final = "opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
RECORD_EVENTS: Final = "vumeter.live_metrics.v1.LiveMetricsService/RecordEvents"
RECORD_EXECUTION: Final = "vumeter.simulation.v1.SimulationService/RecordExecution"
RECORD_CALLS: Final = "vumeter.simulation.v1.SimulationService/RecordCalls"


class Writer(threading.Thread, ABC):
    """Writes until it is told to end; an error ends it too."""

    def __init__(self, name: str, servers: KilledServers, credentials: Mapping[str, str]) -> None:
        super().__init__(name=name)
        self.servers = servers
        self.credentials = credentials
        self.rounds = 0
        self.not_known = 0
        self.error: BaseException | None = None
        self.is_over = threading.Event()
        self._racing = ThreadPoolExecutor(3)

    def run(self) -> None:
        try:
            while not self.is_over.is_set():
                self.write(self.rounds)
                self.rounds += 1
        except BaseException as error:
            self.error = error

    @abstractmethod
    def write(self, number: int) -> None:
        """Write a round."""

    def settled(self, name: str, request: Message | Mapping[str, Any], seed: str) -> Reply:
        """Return the answer that says what was done; one that is repeated is the same."""
        chance = random.Random(f"{self.name}/{seed}")
        reply, not_known = self.servers.settled(name, request, self.credentials, chance)
        self.not_known += not_known
        while chance.random() < REPEATED:
            again, not_known = self.servers.settled(name, request, self.credentials, chance)
            self.not_known += not_known
            assert again.code is reply.code, (self.name, seed, reply, again)
        return reply

    def recorded(self, name: str, request: Message | Mapping[str, Any], seed: str) -> None:
        """Write what nobody contradicts."""
        reply = self.settled(name, request, seed)
        assert reply.code is OK, (self.name, seed, reply)

    def race(self, contents: Sequence[Callable[[str], Reply]], seed: str) -> int:
        """Let contents race, the first of them twice; return which one has won."""
        racing = [0, *range(len(contents))]
        futures = [
            self._racing.submit(contents[content], f"{seed}/{place}")
            for place, content in enumerate(racing)
        ]
        codes = [future.result().code for future in futures]
        assert codes[0] is codes[1], (self.name, seed, codes)
        won = [content for content, code in enumerate(codes[1:]) if code is OK]
        assert len(won) == 1, (self.name, seed, codes)
        assert {code for code in codes if code is not OK} <= set(LOST), (self.name, seed, codes)
        return won[0]


class KeyedPointsWriter(Writer):
    """Points under an idempotency key that is used at one time with other points."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.expected: dict[str, int] = {}

    def write(self, number: int) -> None:
        sizes = [1 + number * 37 % 300, 1 + number * 41 % 300]
        batches = [f"{self.name}-{number}/{side}" for side in range(2)]

        def content(side: int) -> Callable[[str], Reply]:
            points = [
                {
                    "name": "turns",
                    "occur_time": f"2025-04-0{each % 7 + 1}T10:00:00Z",
                    "tags": {"batch": batches[side]},
                }
                for each in range(sizes[side])
            ]
            request = {"points": points, "idempotency_key": f"{self.name}-{number}"}
            return lambda seed: self.settled(RECORD_POINTS, request, seed)

        won = self.race([content(0), content(1)], str(number))
        self.expected[batches[won]] = sizes[won]


class CumulativeWriter(Writer):
    """An exporter's counters, whose sums only grow."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.expected = {f"{self.name}-{each}": 0 for each in range(SERIES)}

    def write(self, number: int) -> None:
        request = otlp_pb.ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add()
        of_resource.resource.attributes.add(
            key="service.instance.id"
        ).value.string_value = self.name
        summed = of_resource.scope_metrics.add().metrics.add(name="spoken").sum
        summed.aggregation_temporality = metrics_pb.AGGREGATION_TEMPORALITY_CUMULATIVE
        summed.is_monotonic = True
        values = {
            series: value + (number and number * 7 % (11 + place))
            for place, (series, value) in enumerate(self.expected.items())
        }
        for series, value in values.items():
            point = summed.data_points.add(
                start_time_unix_nano=STARTED_NS,
                time_unix_nano=STARTED_NS + (number + 1) * 10**6,
                as_int=value,
            )
            point.attributes.add(key="batch").value.string_value = series
        self.recorded(EXPORT, request, str(number))
        self.expected = values


class EventsWriter(Writer):
    """Call events, and ids of events that are used at one time with other content."""

    def __init__(self, oracle: Records, lock: threading.Lock, *given: Any) -> None:
        super().__init__(*given)
        self._oracle = oracle
        self._lock = lock
        self._chance = random.Random(self.name)

    def write(self, number: int) -> None:
        events = some_events(self._chance, number)
        for event in events:
            event.event_id = f"{self.name}/{event.event_id}"
        self.recorded(RECORD_EVENTS, live_pb.RecordEventsRequest(events=events), f"{number}/all")
        self._receive(events)
        raced = [self._raced(number, seconds) for seconds in (60, 120)]

        def content(event: Any) -> Callable[[str], Reply]:
            request = live_pb.RecordEventsRequest(events=[event])
            return lambda seed: self.settled(RECORD_EVENTS, request, seed)

        self._receive([raced[self.race(list(map(content, raced)), f"{number}/raced")]])

    def _raced(self, number: int, seconds: int) -> Any:
        name = f"{self.name}/raced/{number}"
        event = live_pb.CallEvent(
            event_id=name, type=live_pb.EVENT_TYPE_STARTED, call_id=name, tenant_id="clinic"
        )
        event.occur_time.FromSeconds(NINE + seconds)
        return event

    def _receive(self, events: Sequence[Any]) -> None:
        with self._lock:
            self._oracle.receive(list(map(as_event, events)))


class CallsWriter(Writer):
    """Simulated calls, some of them claimed by two executions at one time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.expected: dict[str, int] = {}

    def write(self, number: int) -> None:
        executions = [execution_of(f"{self.name}-{number}/{side}") for side in range(2)]
        for side, execution in enumerate(executions):
            request = {"execution": {"execution_id": execution, "run_test_name": self.name}}
            self.recorded(RECORD_EXECUTION, request, f"{number}/execution/{side}")
        calls = [
            {"call_execution_id": execution_of(f"{execution}/{each}"), "execution_id": execution}
            for execution in executions
            for each in range(number % 5)
        ]
        self.recorded(RECORD_CALLS, {"calls": calls}, f"{number}/calls")
        claimed = execution_of(f"{self.name}-{number}/claimed")

        def content(execution: str) -> Callable[[str], Reply]:
            request = {"calls": [{"call_execution_id": claimed, "execution_id": execution}]}
            return lambda seed: self.settled(RECORD_CALLS, request, seed)

        won = self.race(list(map(content, executions)), f"{number}/claimed")
        for side, execution in enumerate(executions):
            self.expected[execution] = number % 5 + (side == won)
