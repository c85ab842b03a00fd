"""Clients that record batch after batch, and know what they were told of each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
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


def size_of(batch: str) -> int:
    """Return how many points a batch holds: each another number."""
    return int(batch.rpartition("-")[2]) * 37 % MAX_SIZE + 1


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


class Recorder(threading.Thread):
    """Records until its server is gone."""

    def __init__(self, name: str, caller: Caller) -> None:
        super().__init__(name=name)
        self.caller = caller
        self.sent: list[str] = []
        self.acknowledged: list[str] = []

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

    def next_batch(self) -> str:
        self.sent.append(f"{self.name}-{len(self.sent)}")
        return self.sent[-1]

    def run(self) -> None:
        while self.record(batch := self.next_batch()):
            self.acknowledged.append(batch)

    def record(self, batch: str) -> bool:
        """Record a batch; return whether it was acknowledged."""
        raise NotImplementedError


class RestRecorder(Recorder):
    """A batch a POST, one after the other, through Envoy."""

    def record(self, batch: str) -> bool:
        body = {"points": points_of(batch), "idempotencyKey": batch}
        try:
            answer = self.caller.post("/v1/custom-metrics", body)
        except requests.RequestException:
            return False
        assert answer.status in (200, 503, 504), answer.body
        return answer.status == 200


class RpcRecorder(Recorder):
    """A batch a call, one after the other."""

    def record(self, batch: str) -> bool:
        answer = self.caller.rpc(RECORD, request_of(batch))
        assert self.is_of_stop(batch, answer.code) or answer.code == 0, answer.body
        return answer.code == 0

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

    def is_of_stop(self, batch: str, code: int) -> bool:
        if code == grpc.StatusCode.CANCELLED.value[0]:
            # gRPC's own answer to a call that arrives in the moment when a server stops.
            self._not_begun.add(batch)
            return True
        return super().is_of_stop(batch, code)


class StreamRecorder(Recorder):
    """Many batches in flight on one stream."""

    def __init__(self, name: str, caller: Caller) -> None:
        super().__init__(name, caller)
        self._free: queue.Queue[bool] = queue.Queue()
        self._over = False

    def run(self) -> None:
        for _ in range(IN_FLIGHT):
            self._free.put(True)
        try:
            for answer in self.answers():
                assert not answer.HasField("error"), answer
                # One answer may be for several batches.
                covered = self.sent[len(self.acknowledged) : answer.sequence]
                self.acknowledged += covered
                for _ in covered:
                    self._free.put(True)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        finally:
            self._over = True
            self._free.put(True)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.caller.credentials.items())

    def answers(self) -> Any:
        """Open the stream; return its answers as they come."""
        stub: Any = CustomMetricsServiceStub(self.caller.channel)
        return stub.StreamPoints(self.requests(self._request), metadata=self.metadata)

    def requests(self, request_of: Callable[[str], T]) -> Iterator[T]:
        """Yield requests, as many at a time as may be in flight."""
        while self._free.get() and not self._over:
            yield request_of(self.next_batch())

    @staticmethod
    def _request(batch: str) -> Any:
        request = pb.StreamPointsRequest(idempotency_key=batch)
        for point in points_of(batch):
            added = request.points.add(name=point["name"], tags=point["tags"])
            added.occur_time.FromJsonString(point["timestamp"])
        return request
