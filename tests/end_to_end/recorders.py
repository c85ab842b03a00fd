"""Clients that record batch after batch, and know what they were told of each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import grpc
import requests
from tests.end_to_end.callers import Caller

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub

T = TypeVar("T")

RECORD = "vumeter.custom_metrics.v1.CustomMetricsService/RecordPoints"
TEN_YEARS = {"startDate": "2020-01-01", "endDate": "2029-12-31"}
MAX_SIZE = 400
IN_FLIGHT = 8


def number_of(batch: str) -> int:
    """Return which batch of its client it is, from 0."""
    return int(batch.rpartition("-")[2])


def size_of(batch: str) -> int:
    """Return how many points a batch holds: each another number."""
    return number_of(batch) * 37 % MAX_SIZE + 1


def points_of(batch: str) -> list[dict[str, Any]]:
    """Return the points of a batch in the form of the REST body, over several days."""
    return [
        {
            "name": "turns",
            "timestamp": f"2025-04-0{number % 7 + 1}T10:00:00Z",
            "tags": {"batch": batch},
        }
        for number in range(size_of(batch))
    ]


def request_of(batch: str) -> dict[str, Any]:
    """Return the same as a request of RecordPoints; the key lets it be repeated."""
    points = [
        {"name": point["name"], "occur_time": point["timestamp"], "tags": point["tags"]}
        for point in points_of(batch)
    ]
    return {"points": points, "idempotency_key": batch}


def stored(caller: Caller) -> dict[str, int]:
    """Return how many points of each batch there are."""
    rows = caller.get("/v1/custom-metrics/aggregate", **TEN_YEARS, groupBy="batch").body["data"]
    return {row["batch"]: row["metrics"]["turns"] for row in rows}


def posted(caller: Caller, path: str, body: Any, told: Any = None) -> bool:
    """Return whether a request was acknowledged; the server may be gone, or have no time.

    `told` is what the answer has to be, if that is known.
    """
    try:
        answer = caller.post(path, body)
    except requests.RequestException:
        return False
    assert answer.status in (200, 503, 504), answer.body
    assert answer.status != 200 or told in (None, answer.body), answer.body
    return answer.status == 200


class Recorder:
    """Records until its server is gone, and goes on with the next one.

    What it repeats then comes first: each batch that was not acknowledged, and some that were.
    """

    def __init__(self, name: str, caller: Caller) -> None:
        self.name = name
        self.caller = caller
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self._known: set[str] = set()
        self._sent_before = 0
        self._repeats: list[str] = []
        self._repeats_only = False

    def size_of(self, batch: str) -> int:
        """Return how many points, events or calls a batch holds."""
        return size_of(batch)

    @property
    def kept(self) -> set[str]:
        """The batches that must be there."""
        return set(self.acknowledged)

    @property
    def gone(self) -> set[str]:
        """The batches that must not be there."""
        return set()

    @property
    def unacknowledged(self) -> list[str]:
        """The batches that may be there or not, in the order in which they were sent."""
        acknowledged = set(self.acknowledged)
        return [batch for batch in self.sent if batch not in acknowledged]

    @property
    def has_gone_on(self) -> bool:
        """Whether a batch was acknowledged that the servers before were not sent."""
        return len(self.acknowledged) > self._sent_before

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def go_on(self, caller: Caller, again: Sequence[str], *, repeats_only: bool = False) -> None:
        """Start with another server; `again` are acknowledged batches, which it repeats too."""
        self.caller = caller
        self._known = set(self.acknowledged)
        self._sent_before = len(self.sent)
        self._repeats = [*self.unacknowledged, *again]
        self._repeats_only = repeats_only
        self.start()

    def is_repeat(self, batch: str) -> bool:
        """Whether a server before was sent the batch."""
        return batch in self._repeats

    def next_batch(self) -> str:
        self.sent.append(f"{self.name}-{len(self.sent)}")
        return self.sent[-1]

    def batches(self) -> Iterator[str]:
        """Yield what is to be sent."""
        yield from self._repeats
        while not self._repeats_only:
            yield self.next_batch()

    def acknowledge(self, batch: str) -> None:
        if batch not in self._known:
            self.acknowledged.append(batch)

    def run(self) -> None:
        for batch in self.batches():
            if not self.record(batch):
                return
            self.acknowledge(batch)

    def record(self, batch: str) -> bool:
        """Record a batch; return whether it was acknowledged."""
        raise NotImplementedError


class RestRecorder(Recorder):
    """A batch a POST, one after the other, through Envoy."""

    def record(self, batch: str) -> bool:
        body = {"points": points_of(batch), "idempotencyKey": batch}
        told = {"data": {"recorded": size_of(batch)}}
        return posted(self.caller, "/v1/custom-metrics", body, told)


class RpcRecorder(Recorder):
    """A batch a call, one after the other."""

    def record(self, batch: str) -> bool:
        return self.is_taken(batch, RECORD, request_of(batch))

    def is_taken(self, batch: str, method: str, request: Any) -> bool:
        """Call a method that answers how much it recorded; return whether it did."""
        answer = self.caller.rpc(method, request)
        if answer.code:
            assert self.is_of_stop(batch, answer.code), answer.body
            return False
        assert answer.body == {"recorded": str(self.size_of(batch))}
        return True

    def is_of_stop(self, batch: str, code: int) -> bool:
        """Whether a batch was not recorded because the server is stopping or gone."""
        return code == grpc.StatusCode.UNAVAILABLE.value[0]


class RpcRecorderAtStops(RpcRecorder):
    """The same beside servers that stop in order, again and again."""

    def __init__(self, name: str, caller: Caller) -> None:
        super().__init__(name, caller)
        self._not_begun: set[str] = set()

    @property
    def gone(self) -> set[str]:
        return self._not_begun

    def go_on(self, caller: Caller, again: Sequence[str], *, repeats_only: bool = False) -> None:
        # They are sent again.
        self._not_begun.clear()
        super().go_on(caller, again, repeats_only=repeats_only)

    def is_of_stop(self, batch: str, code: int) -> bool:
        if code == grpc.StatusCode.CANCELLED.value[0]:
            # gRPC's own answer to a call that arrives in the moment when a server stops.
            if not self.is_repeat(batch):
                self._not_begun.add(batch)
            return True
        return super().is_of_stop(batch, code)


class Flight:
    """What one stream carries."""

    def __init__(self) -> None:
        self.batches: list[str] = []
        self.free: queue.Queue[bool] = queue.Queue()
        self.is_over = False
        for _ in range(IN_FLIGHT):
            self.free.put(True)


class StreamRecorder(Recorder):
    """Many batches in flight on one stream."""

    def run(self) -> None:
        flight = self._flight = Flight()
        answered = 0
        try:
            for answer in self.answers():
                assert not answer.HasField("error"), answer
                # One answer may be for several batches.
                covered = flight.batches[answered : answer.sequence]
                answered = answer.sequence
                assert answer.recorded == sum(map(self.size_of, covered)), answer
                for batch in covered:
                    self.acknowledge(batch)
                    flight.free.put(True)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        finally:
            flight.is_over = True
            flight.free.put(True)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.caller.credentials.items())

    def answers(self) -> Any:
        """Open the stream; return its answers as they come."""
        stub: Any = CustomMetricsServiceStub(self.caller.channel)
        return stub.StreamPoints(self.requests(self._request), metadata=self.metadata)

    def requests(self, request_of: Callable[[str], T | None]) -> Iterator[T]:
        """Return requests, as many at a time as may be in flight; None ends them."""
        return self._requests(request_of, self._flight)

    def _requests(self, request_of: Callable[[str], T | None], flight: Flight) -> Iterator[T]:
        batches = self.batches()
        while flight.free.get() and not flight.is_over:
            batch = next(batches, None)
            request = None if batch is None else request_of(batch)
            if batch is None or request is None:
                return
            flight.batches.append(batch)
            yield request

    @staticmethod
    def _request(batch: str) -> Any:
        request = pb.StreamPointsRequest(idempotency_key=batch)
        for point in points_of(batch):
            added = request.points.add(name=point["name"], tags=point["tags"])
            added.occur_time.FromJsonString(point["timestamp"])
        return request
