"""An organization that sends to the product, and asks what became of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import requests
from tests.stack import Stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2, custom_metrics_pb2_grpc
from vumeter.otlp.v1 import otlp_pb2, otlp_pb2_grpc
from vumeter_server.access.keys import NewKey

# In seconds.
LATENCIES = (0.31, 0.52, 0.75, 1.4, 2.25, 0.31, 0.9)


def now_ns(ago_seconds: float = 0) -> str:
    return str(time.time_ns() - int(ago_seconds * 1e9))


def counter(name: str, *values: Any, **more: Any) -> dict[str, Any]:
    points = [
        {"asDouble": value, "startTimeUnixNano": now_ns(9), "timeUnixNano": now_ns(), **more}
        for value in values
    ]
    return {
        "name": name,
        "sum": {"dataPoints": points, "aggregationTemporality": 1, "isMonotonic": True},
    }


@dataclass(frozen=True)
class Sender:
    """An organization's key, and the product."""

    stack: Stack
    key: NewKey

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key.key_id}.{self.key.secret}"}

    def post(self, body: bytes, kind: str = "application/x-protobuf", **headers: str) -> Any:
        return self.post_to("/v1/metrics", body, kind, **headers)

    def post_to(
        self, path: str, body: bytes, kind: str = "application/x-protobuf", **headers: str
    ) -> Any:
        return requests.post(
            self.stack.rest_url + path,
            data=body,
            headers={**self.headers, "content-type": kind, **headers},
            timeout=20,
        )

    def post_json(self, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.post(json.dumps(body).encode(), "application/json")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def query(self, metric: str, *functions: str, group: str = "session_id") -> dict[str, Any]:
        body = {
            "startDate": "2020-01-01",
            "endDate": "2029-01-01",
            "metrics": [
                {
                    "as": function,
                    "metric": metric,
                    "function": function.rstrip("0123456789"),
                    **({"percentile": int(function[10:])} if function[10:] else {}),
                }
                for function in functions
            ],
            "groupBy": [group],
        }
        url = f"{self.stack.rest_url}/v1/custom-metrics/query"
        answer = requests.post(url, json=body, headers=self.headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return {row["labels"][group]: row for row in answer.json()["data"]["rows"]}

    def rejected(self) -> otlp_pb2.ListRejectedPointsResponse:
        with grpc.insecure_channel(self.stack.grpc_target) as channel:
            stub = otlp_pb2_grpc.OtlpServiceStub(channel)
            answer: otlp_pb2.ListRejectedPointsResponse = stub.ListRejectedPoints(
                otlp_pb2.ListRejectedPointsRequest(),
                metadata=list(self.headers.items()),
                timeout=20,
            )
        return answer

    def metrics(self) -> dict[str, custom_metrics_pb2.Metric]:
        with grpc.insecure_channel(self.stack.grpc_target) as channel:
            stub = custom_metrics_pb2_grpc.CustomMetricsServiceStub(channel)
            answer = stub.ListMetrics(
                custom_metrics_pb2.ListMetricsRequest(),
                metadata=list(self.headers.items()),
                timeout=20,
            )
        return {metric.name: metric for metric in answer.metrics}
