"""A server behind Envoy that does what a test asks of it: slow, large, failing, curious.

The real server would need a broken disk or a busy hour for most of this.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.api import httpbody_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from vumeter.custom_metrics.v1 import custom_metrics_rest_pb2 as rest_pb2
from vumeter.live_metrics.v1 import live_metrics_rest_pb2 as live_pb2

OTLP = "vumeter.otlp.v1.OtlpRestService"
WATCHING = "vumeter.live_metrics.v1.LiveMetricsRestService"
SERVICE = "vumeter.custom_metrics.v1.CustomMetricsRestService"

Context = grpc.aio.ServicerContext[Any, Any]


class Upstream:
    """A stand-in for the server; `agentId` of names and tags says what to do."""

    def __init__(self) -> None:
        self.server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", 16 * 1024 * 1024),
            ]
        )
        self.health = health.aio.HealthServicer()
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listen on `port`; 0 lets the system choose."""
        handlers = {
            "GetNames": self.get_names,
            "GetTags": self.get_tags,
            "GetSession": self.get_session,
            "Record": self.record,
        }
        self.server.add_registered_method_handlers(
            SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(handler)
                for name, handler in handlers.items()
            },
        )
        self.server.add_registered_method_handlers(
            OTLP,
            {
                name: grpc.unary_unary_rpc_method_handler(self.record)
                for name in ("ExportMetrics", "DiscardRecordings")
            },
        )
        self.server.add_registered_method_handlers(
            WATCHING, {"WatchMetrics": grpc.unary_stream_rpc_method_handler(self.watch_metrics)}
        )
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        await self.health.set("", health_pb2.HealthCheckResponse.SERVING)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        await self.server.start()

    async def get_names(self, data: bytes, context: Context) -> bytes:
        """`slow <seconds>`, `fail <status>`, `headers`; anything else is answered back."""
        asked = rest_pb2.GetNamesRequest.FromString(data).agent_id
        what, _, argument = asked.partition(" ")
        names = [asked]
        if what == "slow":
            await asyncio.sleep(float(argument))
        elif what == "fail":
            await fail(context, int(argument))
        elif what == "headers":
            names = [f"{name}: {value!s}" for name, value in context.invocation_metadata() or ()]
        return rest_pb2.GetNamesResponse(data=names).SerializeToString()

    async def get_tags(self, data: bytes, context: Context) -> bytes:
        """Answer with a JSON text of `agentId` bytes."""
        size = int(rest_pb2.GetTagsRequest.FromString(data).agent_id)
        return _json(b'"' + b"x" * (size - 2) + b'"')

    async def get_session(self, data: bytes, context: Context) -> bytes:
        """Answer with the session id that arrived."""
        return _json(json.dumps(rest_pb2.GetSessionRequest.FromString(data).session_id).encode())

    async def watch_metrics(self, data: bytes, context: Context) -> AsyncIterator[bytes]:
        """Answer with counters, some times a second, without an end."""
        for number in itertools.count():
            yield live_pb2.LiveCounters(active_calls=number).SerializeToString()
            await asyncio.sleep(0.2)

    async def record(self, data: bytes, context: Context) -> bytes:
        """Answer with the number of bytes that arrived."""
        body = rest_pb2.RecordRequest.FromString(data).body
        return rest_pb2.RecordResponse(data={"recorded": len(body.data)}).SerializeToString()


async def fail(context: Context, number: int) -> None:
    """End the call as the server does: status details, and when to come back."""
    code = next(code for code in grpc.StatusCode if code.value[0] == number)
    detail = AnyMessage()
    detail.Pack(
        error_details_pb2.BadRequest(
            field_violations=[{"field": "startDate", "description": "must be a string"}]
        )
    )
    status = status_pb2.Status(code=number, message="startDate must be a string", details=[detail])
    context.set_trailing_metadata(
        (("grpc-status-details-bin", status.SerializeToString()), ("retry-after", "7"))
    )
    await context.abort(code, status.message)


def _json(data: bytes) -> bytes:
    body = httpbody_pb2.HttpBody(content_type="application/json", data=data)
    serialized: bytes = body.SerializeToString()
    return serialized
