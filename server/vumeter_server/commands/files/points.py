"""Files of points: one per line as in the REST body, or one per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter_server.api import json_body
from vumeter_server.commands.files.import_run import Importable
from vumeter_server.commands.files.point_fields import COLUMNS, TYPES
from vumeter_server.commands.files.records import json_in, number_in
from vumeter_server.commands.remote import CALL_TIMEOUT_SECONDS, Remote
from vumeter_server.custom_metrics.record_body import BucketsBody, DistributionBody, PointBody
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.rfc3339 import parse_rfc3339

UNSET: Final = msgspec.UNSET


class PointImport(Importable[pb.Point]):
    """Records points, each batch by a key, so that a repeat records nothing."""

    noun = "points"
    has_dry_run = True
    field = "points"
    prefix = "points[0]."
    # A file that was imported by an earlier version has other keys if these change.
    batch_records = 10_000
    batch_bytes = 4 * 1024 * 1024
    columns = COLUMNS
    required = ("timestamp", "name")
    renamed: Mapping[str, str] = MappingProxyType({"occur_time": "timestamp"})

    def __init__(self, remote: Remote) -> None:
        self._stub = CustomMetricsServiceStub(remote.channel)
        self._metadata = remote.metadata

    def from_json(self, data: bytes) -> pb.Point:
        """Read a point as in the REST body, whose time has to be there."""
        body = json_body.decode(HttpBody(data=data), PointBody)
        if isinstance(body.timestamp, msgspec.UnsetType):
            raise InvalidArgument.of("timestamp", "must be given", as_sent=True)
        point = _point(
            parse_rfc3339(body.timestamp, "timestamp"),
            {name: getattr(body, name) or "" for name in _TEXTS},
            None if isinstance(body.value, msgspec.UnsetType) else body.value,
            body.tags or {},
        )
        if not isinstance(body.distribution, msgspec.UnsetType):
            _refuse_both(point)
            _add_distribution(point, body.distribution)
        return point

    def from_cells(self, cells: Mapping[str, str]) -> pb.Point:
        """Read a row of CSV, whose tags and distribution are JSON objects."""
        if "timestamp" not in cells:
            raise InvalidArgument.of("timestamp", "must be given")
        point = _point(
            parse_rfc3339(cells["timestamp"], "timestamp"),
            cells,
            number_in(cells, "value"),
            json_in(cells.get("tags"), "tags", dict[str, str]) or {},
        )
        distribution = json_in(cells.get("distribution"), "distribution", DistributionBody)
        if distribution is not None:
            _refuse_both(point)
            _add_distribution(point, distribution)
        return point

    def from_row(self, row: Mapping[str, Any]) -> pb.Point:
        """Read a row of Parquet."""
        if "timestamp" not in row:
            raise InvalidArgument.of("timestamp", "must be given")
        time = row["timestamp"]
        time_us = parse_rfc3339(time, "timestamp") if isinstance(time, str) else time
        try:
            point = _point(time_us, row, row.get("value"), dict(row.get("tags") or ()))
            if "distribution" in row:
                _refuse_both(point)
                given = row["distribution"].items()
                numbers = {name: each for name, each in given if each is not None}
                point.distribution.CopyFrom(pb.Distribution(**numbers))
        except (TypeError, ValueError) as error:
            raise InvalidArgument.of("", f"has a value of a wrong type: {error}") from None
        return point

    def message(self, record: pb.Point) -> pb.Point:
        """Return the point."""
        return record

    def request(
        self, messages: Sequence[pb.Point], key: str, *, dry_run: bool
    ) -> pb.RecordPointsRequest:
        """Return the request for some points; a dry run looks at all of them, whatever the key."""
        return pb.RecordPointsRequest(
            points=messages,
            idempotency_key=f"{KEY_PREFIX}{key}" if key and not dry_run else "",
            dry_run=dry_run,
        )

    def send(self, request: pb.RecordPointsRequest) -> None:
        """Record points."""
        self._stub.RecordPoints(request, metadata=self._metadata, timeout=CALL_TIMEOUT_SECONDS)


KEY_PREFIX: Final = "import:"
_TEXTS: Final = ("name", "type", "agent_id", "environment_id", "session_id")


def _point(
    time_us: int, texts: Mapping[str, str], value: float | None, tags: Mapping[str, str]
) -> pb.Point:
    """Return a point; what of it breaks a rule is found where it is recorded."""
    given_type = texts.get("type", "")
    if given_type and given_type not in TYPES:
        raise InvalidArgument.of("type", "must be one of counter, gauge, histogram")
    if not 0 <= time_us < 2**62:
        raise InvalidArgument.of("timestamp", "must not be before 1970")
    point = pb.Point(
        name=texts.get("name", ""),
        type=TYPES.get(given_type, pb.METRIC_TYPE_UNSPECIFIED),
        occur_time=Timestamp(seconds=time_us // 1_000_000, nanos=time_us % 1_000_000 * 1_000),
        agent_id=texts.get("agent_id", ""),
        environment_id=texts.get("environment_id", ""),
        session_id=texts.get("session_id", ""),
        tags=tags,
    )
    if value is not None:
        point.value = value
    return point


def _refuse_both(point: pb.Point) -> None:
    if point.WhichOneof("measurement"):
        raise InvalidArgument.of("distribution", "must not be given together with a value")


def _add_distribution(point: pb.Point, body: DistributionBody) -> None:
    numbers = {
        name: getattr(body, name)
        for name in ("min", "max", "bounds", "bucket_counts", "scale", "zero_count")
        if getattr(body, name) is not UNSET
    }
    try:
        point.distribution.CopyFrom(pb.Distribution(count=body.count, sum=body.sum, **numbers))
        for name in ("positive", "negative"):
            buckets: BucketsBody | msgspec.UnsetType = getattr(body, name)
            if not isinstance(buckets, msgspec.UnsetType):
                getattr(point.distribution, name).CopyFrom(
                    pb.ExponentialBuckets(
                        offset=buckets.offset or 0, bucket_counts=buckets.bucket_counts or ()
                    )
                )
    except ValueError:
        raise InvalidArgument.of("distribution", "has a number that is out of range") from None
