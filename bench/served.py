"""The product's server with one RPC more, which does nothing: what every other one is set against.

Usage: python -m bench.served DB
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from vumeter_server import app
from vumeter_server.logs import configure_logs
from vumeter_server.rpc.call import Call
from vumeter_server.rpc.credentials import PUBLIC
from vumeter_server.settings import Settings

PATH = "/bench/empty"
SERVICE = "vumeter.bench.v1.EmptyRestService"


def file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """Return the service as protoc would describe it."""
    file = descriptor_pb2.FileDescriptorProto(
        name="vumeter/bench/v1/empty.proto",
        package="vumeter.bench.v1",
        syntax="proto3",
        dependency=["google/api/annotations.proto"],
    )
    file.message_type.add(name="Empty")
    method = file.service.add(name="EmptyRestService").method.add(
        name="Get",
        input_type=".vumeter.bench.v1.Empty",
        output_type=".vumeter.bench.v1.Empty",
    )
    method.options.Extensions[annotations_pb2.http].get = PATH
    return file


_pool = descriptor_pool.Default()
_pool.Add(file_descriptor())
_service: ServiceDescriptor = _pool.FindServiceByName(SERVICE)
_Empty = message_factory.GetMessageClass(_pool.FindMessageTypeByName("vumeter.bench.v1.Empty"))


class EmptyService:
    """Answers nothing, to anybody."""

    service = _service
    access = PUBLIC
    field_names: Mapping[str, str] = {}

    async def Get(self, request: Message, call: Call) -> Message:
        """Answer an empty message."""
        return _Empty()


async def _families(foundation: app.Foundation) -> list[app.Family]:
    return [*await _of_product(foundation), app.Family(servicers=[EmptyService()])]


_of_product = app.families


def main() -> None:
    """Serve until SIGTERM; print the port once calls are answered."""
    app.families = _families
    settings = Settings(
        db=Path(sys.argv[1]), grpc_port=0, log_level="error", query_timeout_seconds=60
    )
    configure_logs(settings)

    def on_ready(port: int) -> None:
        os.write(1, b"%d\n" % port)

    asyncio.run(app.serve(settings, on_ready=on_ready))


if __name__ == "__main__":
    main()
