"""The product started as its users start it, with one RPC more, which does nothing.

`python -m bench.product up ...` is `vumeter up ...` whose servers also answer `GET /bench/empty`,
through the same pipeline and the same Envoy: what every other RPC is set against. With
BENCH_WITHOUT_LIMITS set, servers have no code for limits; see `bench.without_limits`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from vumeter_server import cli
from vumeter_server.access import roles
from vumeter_server.api.call import Call
from vumeter_server.edge import process as edge_process
from vumeter_server.edge.config import EdgeFiles, edge_files, load, transcoder

EMPTY_PATH = "/bench/empty"
PACKAGE = "vumeter.bench.v1"
SERVICE = f"{PACKAGE}.EmptyRestService"


def empty_service() -> descriptor_pb2.FileDescriptorProto:
    """Describe the service as protoc would."""
    file = descriptor_pb2.FileDescriptorProto(
        name="vumeter/bench/v1/empty.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["google/api/annotations.proto"],
    )
    file.message_type.add(name="Empty")
    method = file.service.add(name="EmptyRestService").method.add(
        name="Get", input_type=f".{PACKAGE}.Empty", output_type=f".{PACKAGE}.Empty"
    )
    method.options.Extensions[annotations_pb2.http].get = EMPTY_PATH
    return file


_POOL = descriptor_pool.Default()
_POOL.Add(empty_service())
_EMPTY = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.Empty"))


class EmptyService:
    """Answers nothing, to anybody."""

    service = _POOL.FindServiceByName(SERVICE)
    field_names: Mapping[str, str] = {}

    async def Get(self, request: Message, call: Call) -> Message:
        """Answer an empty message."""
        return _EMPTY()


def _serve_empty_too() -> None:
    from vumeter_server import families  # noqa: PLC0415 - `up` is measured without a server in it

    of_product = families.assemble

    async def assemble(foundation: families.Foundation) -> list[families.Family]:
        return [*await of_product(foundation), families.Family(servicers=[EmptyService()])]

    families.assemble = assemble
    roles.METHODS = {**roles.METHODS, f"{SERVICE}.Get": roles.PUBLIC}


def _serve_without_limits() -> None:
    from bench import without_limits  # noqa: PLC0415 - `up` is measured without a server in it
    from vumeter_server import app  # noqa: PLC0415
    from vumeter_server.custom_metrics.sqlite import store  # noqa: PLC0415

    setattr(app, "RateLimits", without_limits.RatesWithoutLimits)  # noqa: B010
    setattr(store, "Recorder", without_limits.RecorderWithoutLimits)  # noqa: B010


def _route_empty_too(directory: Path) -> None:
    files = edge_files()
    bootstrap = load(files.envoy_yaml)
    transcoder(bootstrap)["services"].append(SERVICE)
    descriptors = descriptor_pb2.FileDescriptorSet.FromString(files.descriptor_set.read_bytes())
    descriptors.file.append(empty_service())
    ours = EdgeFiles(envoy_yaml=directory / "envoy.yaml", descriptor_set=directory / "api.binpb")
    ours.envoy_yaml.write_text(yaml.safe_dump(bootstrap, sort_keys=False))
    ours.descriptor_set.write_bytes(descriptors.SerializeToString())
    # What the product has bound to this name is what has to answer otherwise.
    setattr(edge_process, "edge_files", lambda: ours)  # noqa: B010


def _start_servers_from_here() -> None:
    """Let the supervisor start this module where it would start the command."""
    start = asyncio.create_subprocess_exec

    async def start_ours(program: str, *arguments: str, **options: Any) -> Any:
        ours = [__spec__.name if each == "vumeter_server.cli" else each for each in arguments]
        return await start(program, *ours, **options)

    asyncio.create_subprocess_exec = start_ours  # type: ignore[assignment]


def main() -> None:
    """Run the command line."""
    if sys.argv[1] == "serve":
        _serve_empty_too()
        if os.environ.get("BENCH_WITHOUT_LIMITS"):
            _serve_without_limits()
        cli.main()
    with tempfile.TemporaryDirectory(prefix="bench-edge-", dir=os.environ.get("TMPDIR")) as name:
        _route_empty_too(Path(name))
        _start_servers_from_here()
        cli.main()


if __name__ == "__main__":
    main()
