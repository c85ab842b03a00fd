"""What a class needs to be served, and what it can have beside that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, runtime_checkable

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status


class Servicer(Protocol):
    """What a class needs to be served.

    Beside these it has a coroutine or an async generator for each method of the service, named as
    the method: `async def Method(self, request, call)`, with an async iterator in place of the
    request where requests are streamed.
    """

    @property
    def service(self) -> ServiceDescriptor:
        """The service that it implements."""

    @property
    def field_names(self) -> Mapping[str, str]:
        """How callers spell fields that the core spells otherwise."""


class Readable(Protocol):
    """What a request can be read as: a type of message, or something else made of its bytes."""

    @staticmethod
    def FromString(data: bytes, /) -> Any:
        """Return what the bytes hold; raises DecodeError or InvalidArgument."""


@runtime_checkable
class ReadsOtherwise(Protocol):
    """A servicer that reads some requests as messages of other types, equal on the wire."""

    @property
    def request_types(self) -> Mapping[str, Readable]:
        """The types by the names of their methods."""


@runtime_checkable
class WritesErrors(Protocol):
    """A servicer whose errors over REST have bodies of its own, not the transcoder's.

    Its methods take and return an HttpBody. A message comes before a status that is an error, which
    the transcoder then passes on; whoever asks has to read the answer as a stream to see both.
    """

    def error_body(self, status: Status, request: Any) -> Message:
        """Return the body of an error; `request` is None where it could not be read."""


@runtime_checkable
class LeavesUnread(Protocol):
    """A servicer that throws the bodies of some methods away, compressed or not."""

    @property
    def unread(self) -> Collection[str]:
        """The names of these methods."""


def answers_as_stream(servicer: Servicer, method: MethodDescriptor) -> bool:
    """Whether the answer of a method comes as a stream on the wire."""
    return method.server_streaming or isinstance(servicer, WritesErrors)
