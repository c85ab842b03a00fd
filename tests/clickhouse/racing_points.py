"""Writers that race for the type of a new metric, and one that deletes what it recorded."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from tests.clickhouse.killed_servers import KilledServer, Reply
from tests.clickhouse.racing_writers import OK, RECORD_POINTS, Writer

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb

DELETE_POINTS: Final = "vumeter.custom_metrics.v1.CustomMetricsService/DeletePoints"
LIST_METRICS: Final = "vumeter.custom_metrics.v1.CustomMetricsService/ListMetrics"
TYPES: Final = ("counter", "gauge", "histogram")
# Of any of them that are added up, the sum says which.
SIZES: Final = (1, 2, 4, 8, 16, 32)


class TypesWriter(Writer):
    """Many record a metric that there is not yet, two of each type."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._at_once = ThreadPoolExecutor(len(SIZES))
        self.types: dict[str, str] = {}
        """The type that has won each metric."""
        self.sums: dict[str, int] = {}
        """How many points of each metric were acknowledged."""

    def write(self, number: int) -> None:
        name = f"{self.name}_{number}"
        replies = list(self._at_once.map(lambda side: self._record(name, side), range(len(SIZES))))
        won = [side for side, reply in enumerate(replies) if reply.code is OK]
        kinds = {_type_of(side) for side in won}
        assert len(kinds) == 1, (name, replies)
        kind = kinds.pop()
        assert won == [side for side in range(len(SIZES)) if _type_of(side) == kind], replies
        told = f"points[0].type must be {kind}, as this metric was first recorded"
        for side, reply in enumerate(replies):
            if side not in won:
                assert reply == Reply(grpc.StatusCode.INVALID_ARGUMENT, told), (name, side)
        self.types[name] = kind
        self.sums[name] = sum(SIZES[side] for side in won)

    def _record(self, name: str, side: int) -> Reply:
        point = {"name": name, "type": f"METRIC_TYPE_{_type_of(side).upper()}", "value": 1}
        request = {"points": [point] * SIZES[side], "idempotency_key": f"{name}/{side}"}
        return self.settled(RECORD_POINTS, request, f"{name}/{side}")


class DeletingWriter(Writer):
    """Batches, of which one is deleted while another of the same metric is recorded."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.expected: dict[str, int] = {}

    def write(self, number: int) -> None:
        gone, kept, beside = (f"{self.name}-{number}/{each}" for each in ("gone", "kept", "beside"))
        sizes = {gone: 1 + number * 37 % 300, kept: 1 + number * 41 % 300, beside: 7}
        for batch in (gone, kept):
            self._record(batch, sizes[batch])
        recording = self._racing.submit(self._record, beside, sizes[beside])
        filters = [{"label": "batch", "operator": "LABEL_OPERATOR_EQUAL", "values": [gone]}]
        reply = self.settled(DELETE_POINTS, {"filters": filters}, f"{gone}/delete")
        # Of two tries, the first of which nobody has heard, the second finds nothing to delete.
        assert reply.code is OK, reply
        assert reply.message.deleted in (0, sizes[gone]), reply
        # What comes late under its key is known, and not recorded again.
        self._record(gone, sizes[gone])
        left = self.settled(DELETE_POINTS, {"filters": filters, "dry_run": True}, f"{gone}/left")
        assert (left.code, left.message.deleted) == (OK, 0), (gone, left)
        recording.result()
        self.expected |= {kept: sizes[kept], beside: sizes[beside]}

    def _record(self, batch: str, size: int) -> None:
        point = {"name": "turns", "occur_time": "2025-04-03T10:00:00Z", "tags": {"batch": batch}}
        request = {"points": [point] * size, "idempotency_key": batch}
        self.recorded(RECORD_POINTS, request, batch)


def types_told(server: KilledServer, credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the type of each metric of an organization."""
    found: dict[str, str] = {}
    token = ""
    while True:
        reply = server.ask(LIST_METRICS, {"page_token": token}, credentials)
        assert reply.code is OK, reply
        for metric in reply.message.metrics:
            found[metric.name] = pb.MetricType.Name(metric.type).rpartition("_")[2].lower()
        if not (token := reply.message.next_page_token):
            return found


def _type_of(side: int) -> str:
    return TYPES[side % len(TYPES)]
