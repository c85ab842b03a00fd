"""What the protos say of the REST paths: methods, fields and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

HTTP_BODY = "google.api.HttpBody"
_ANNOTATION = "vumeter.openapi.v1.operation"
_SERVICE, _METHOD, _MESSAGE, _FIELD, _NESTED = 6, 2, 4, 2, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """A method at one of its paths."""

    method: MethodDescriptor
    verb: str
    path: str
    """With the documented spelling of its parameters."""
    request: str
    """The name of the body of its request; "" for none."""
    response: str
    """The name of the body of its answer; "" where that is a message."""
    errors: tuple[int, ...]
    is_query: bool
    comment: str

    @property
    def parameters(self) -> list[FieldDescriptor]:
        """The fields that are in the path or the query."""
        return [
            field
            for field in self.method.input_type.fields
            if field.message_type is None or field.message_type.full_name != HTTP_BODY
        ]


class Protos:
    """A descriptor set with comments."""

    def __init__(self, data: bytes) -> None:
        files = FileDescriptorSet.FromString(data)
        self._pool = DescriptorPool()
        self._comments: dict[str, str] = {}
        self._services: list[str] = []
        for file in files.file:
            self._pool.Add(file)  # type: ignore[no-untyped-call, unused-ignore]
            if file.package.startswith("vumeter."):
                self._read_comments(file)
                self._services += [f"{file.package}.{each.name}" for each in file.service]

    def comment(self, full_name: str) -> str:
        """Return what is said above a service, method, message or field."""
        return self._comments.get(full_name, "")

    def bindings(self) -> Iterator[Binding]:
        """Yield every method with an HTTP path, once for each path."""
        for name in self._services:
            for method in self._pool.FindServiceByName(name).methods:
                options = self._options(method)
                rule = options.Extensions[self._pool.FindExtensionByName("google.api.http")]
                about = options.Extensions[self._pool.FindExtensionByName(_ANNOTATION)]
                for each in (rule, *rule.additional_bindings):
                    if verb := each.WhichOneof("pattern"):
                        yield Binding(
                            method=method,
                            verb=verb,
                            path=_documented(getattr(each, verb), method.input_type),
                            request=about.request,
                            response=about.response,
                            errors=tuple(about.errors),
                            is_query=options.idempotency_level == options.NO_SIDE_EFFECTS,
                            comment=self.comment(method.full_name),
                        )

    def behaviors(self, field: FieldDescriptor) -> list[int]:
        """Return the numbers of a field's behaviors."""
        options = self._parsed("google.protobuf.FieldOptions", field)
        found = options.Extensions[self._pool.FindExtensionByName("google.api.field_behavior")]
        return list(found)

    def _options(self, method: MethodDescriptor) -> Any:
        return self._parsed("google.protobuf.MethodOptions", method)

    def _parsed(self, kind: str, of: MethodDescriptor | FieldDescriptor) -> Any:
        # As they are read by default, options do not know the extensions of this pool.
        options = GetMessageClass(self._pool.FindMessageTypeByName(kind))
        return options.FromString(of.GetOptions().SerializeToString())

    def _read_comments(self, file: Any) -> None:
        said: Mapping[tuple[int, ...], str] = {
            tuple(each.path): _unindented(each.leading_comments)
            for each in file.source_code_info.location
        }
        for index, service in enumerate(file.service):
            name = f"{file.package}.{service.name}"
            self._comments[name] = said.get((_SERVICE, index), "")
            for number, method in enumerate(service.method):
                path = (_SERVICE, index, _METHOD, number)
                self._comments[f"{name}.{method.name}"] = said.get(path, "")
        for index, message in enumerate(file.message_type):
            self._read_message(f"{file.package}.{message.name}", message, (_MESSAGE, index), said)

    def _read_message(
        self,
        name: str,
        message: DescriptorProto,
        path: tuple[int, ...],
        said: Mapping[tuple[int, ...], str],
    ) -> None:
        self._comments[name] = said.get(path, "")
        for number, field in enumerate(message.field):
            self._comments[f"{name}.{field.name}"] = said.get((*path, _FIELD, number), "")
        for number, nested in enumerate(message.nested_type):
            self._read_message(f"{name}.{nested.name}", nested, (*path, _NESTED, number), said)


def _unindented(comment: str) -> str:
    lines = [line.removeprefix(" ").rstrip() for line in comment.splitlines()]
    paragraphs = "\n".join(lines).strip("\n").split("\n\n")
    # A line that begins with a number would be a list in Markdown.
    return "\n\n".join(
        each if each.startswith("    ") else each.replace("\n", " ") for each in paragraphs
    )


def _documented(path: str, request: Descriptor) -> str:
    return re.sub(
        r"\{(\w+)\}", lambda match: f"{{{request.fields_by_name[match[1]].json_name}}}", path
    )
