"""Every method of the API, read from the descriptor set that Envoy serves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from vumeter_server.access.roles import ANY_CALLER, PUBLIC
from vumeter_server.access.roles import METHODS as ACCESS

ROOT: Final = Path(__file__).resolve().parent.parent.parent
EXAMPLES: Final = ROOT / "tests" / "examples"


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One method; `verb` and `path` are empty for those that have no documented path."""

    name: str
    """`vumeter.custom_metrics.v1.CustomMetricsService/RecordPoints`"""
    family: str
    verb: str
    path: str
    descriptor: MethodDescriptor

    @property
    def is_rest(self) -> bool:
        return bool(self.path)

    @property
    def is_query(self) -> bool:
        no_side_effects = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
        return bool(self.descriptor.GetOptions().idempotency_level == no_side_effects)

    @property
    def path_pattern(self) -> re.Pattern[str]:
        """What a request's path matches, with or without a slash at the end."""
        return re.compile(re.sub(r"\{\w+\}", "[^/]+", self.path) + "/?")

    @property
    def query_parameters(self) -> list[str]:
        """The documented spelling of each parameter that is not part of the path."""
        in_path = re.findall(r"\{(\w+)\}", self.path)
        return [
            field.json_name
            for field in self.descriptor.input_type.fields
            if field.message_type is None and field.name not in in_path
        ]

    def request_type(self) -> type[Message]:
        return GetMessageClass(self.descriptor.input_type)

    def response_type(self) -> type[Message]:
        return GetMessageClass(self.descriptor.output_type)


def _load() -> tuple[DescriptorPool, list[Method]]:
    files = descriptor_pb2.FileDescriptorSet.FromString(
        (ROOT / "generated" / "api.binpb").read_bytes()
    )
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)  # type: ignore[no-untyped-call, unused-ignore]
    methods = [
        method
        for file in files.file
        if file.package.startswith("vumeter.")
        for service in file.service
        for method in _methods_of(pool.FindServiceByName(f"{file.package}.{service.name}"))
    ]
    return pool, methods


def _methods_of(service: Any) -> Iterator[Method]:
    for method in service.methods:
        # The options of this pool's methods are parsed with the extensions that are imported here.
        options = descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
        rule = options.Extensions[annotations_pb2.http]
        yield Method(
            name=f"{service.full_name}/{method.name}",
            family=service.full_name.split(".")[1],
            verb="GET" if rule.get else "POST" if rule.post else "",
            path=rule.get or rule.post,
            descriptor=method,
        )


POOL, METHODS = _load()
BY_NAME: Final = {method.name: method for method in METHODS}
REST: Final = [method for method in METHODS if method.is_rest]
TYPED: Final = [method for method in METHODS if not method.is_rest]
CLOSED: Final = [m for m in METHODS if ACCESS[m.descriptor.full_name] is not PUBLIC]
"""Methods that ask for a credential; `tests/access` says which others there are."""
CLOSED_REST: Final = [method for method in CLOSED if method.is_rest]
OF_ORGANIZATIONS: Final = [
    method
    for method in CLOSED
    if method.family != "live_metrics" and ACCESS[method.descriptor.full_name] is not ANY_CALLER
]
FAMILIES: Final = sorted({method.family for method in METHODS})


def method_at(verb: str, path: str) -> Method:
    """Return the method that a request of REST leads to."""
    (found,) = [m for m in REST if m.verb == verb and m.path_pattern.fullmatch(path)]
    return found
