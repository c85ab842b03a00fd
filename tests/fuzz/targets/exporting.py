"""Requests of OpenTelemetry's exporters, in protobuf and in JSON, up to what a store is given."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.fuzz.targets.target import Target, as_json
from tests.otlp.decoded import PAYLOADS, attributes, batch_of, body_of, request, settled

from vumeter_server.errors import InvalidArgument

# Real requests are some 20 kB; what is tried of them is quicker the smaller they are.
MOST_BYTES: Final = 4_000
_POINT: Final = {
    "attributes": attributes({"room_id": "r", "model": "m", "n": 3, "x": 0.5, "y": True}),
    "startTimeUnixNano": "1795708800000000000",
    "timeUnixNano": "1795708890000000000",
}
_EXPONENTIAL: Final = {
    **_POINT,
    "count": "3",
    "sum": 5.5,
    "scale": 2,
    "zeroCount": "1",
    "positive": {"offset": -1, "bucketCounts": ["1", "1"]},
}


def _protobuf(data: bytes) -> object:
    return settled(batch_of(data))


def _json(data: bytes) -> object:
    return settled(batch_of(data, is_json=True))


def _requests() -> list[dict[str, Any]]:
    of_metric: list[dict[str, Any]] = [
        {"gauge": {"dataPoints": [{**_POINT, "asDouble": 0.5}, {**_POINT, "asInt": "7"}]}},
        {
            "sum": {
                "dataPoints": [{**_POINT, "asDouble": 2.5}],
                "aggregationTemporality": 2,
                "isMonotonic": True,
            }
        },
        {
            "histogram": {
                "dataPoints": [
                    {
                        **_POINT,
                        "count": "3",
                        "sum": 4.5,
                        "min": 0.5,
                        "max": 3,
                        "explicitBounds": [1, 2],
                        "bucketCounts": ["1", "1", "1"],
                    }
                ],
                "aggregationTemporality": 1,
            }
        },
        {"exponentialHistogram": {"dataPoints": [_EXPONENTIAL], "aggregationTemporality": 2}},
        {"summary": {"dataPoints": [{}]}},
    ]
    nested = {"arrayValue": {"values": [{"kvlistValue": {"values": [{"key": "k"}]}}]}}
    lists = request({"name": "d", **of_metric[0]}, resource={"service.name": "agent"})
    lists["resourceMetrics"][0]["resource"]["attributes"] += [
        {"key": "list", "value": nested},
        {"key": "bytes", "value": {"bytesValue": "AAE="}},
    ]
    return [request({"name": "turn-latency", "unit": "ms", **each}) for each in of_metric] + [lists]


def _in_protobuf() -> list[bytes]:
    from google.protobuf.json_format import ParseDict  # noqa: PLC0415
    from opentelemetry.proto.collector.metrics.v1 import (  # noqa: PLC0415
        metrics_service_pb2,
    )

    return [
        ParseDict(each, metrics_service_pb2.ExportMetricsServiceRequest()).SerializeToString()
        for each in _requests()
    ]


def _payloads(*, is_json: bool) -> list[bytes]:
    bodies = [body_of(path.stem) for path in sorted(PAYLOADS.glob("*.bin"))]
    return [each for each in bodies if len(each) <= MOST_BYTES and each.startswith(b"{") is is_json]


TARGETS: Final = {
    "otlp_protobuf": Target(
        read=_protobuf,
        seeds=lambda: _in_protobuf() + _payloads(is_json=False),
        allowed=(InvalidArgument,),
    ),
    "otlp_json": Target(
        read=_json,
        seeds=lambda: as_json(*_requests(), *map(json.loads, _payloads(is_json=True))),
        allowed=(InvalidArgument,),
    ),
}
