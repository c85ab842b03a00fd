"""JSON schemas of the messages that answers are, as Envoy's transcoder prints them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tools.openapi.protos import Protos

Schema = dict[str, Any]

MAX_UINT32 = 2**32 - 1
_NUMBERS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": MAX_UINT32},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
}
_LIST_VALUE = "google.protobuf.ListValue"


def answer_schema(message: Descriptor, protos: Protos, schemas: MutableMapping[str, Schema]) -> str:
    """Add the schema of an answer to `schemas`; return its name."""
    name: str = message.name
    if name not in schemas:
        schemas[name] = _object(message, protos)
    return name


def _object(message: Descriptor, protos: Protos) -> Schema:
    # The transcoder prints what is empty too, and our answers set every message.
    properties = {field.json_name: _field(field, protos) for field in message.fields}
    return {
        "description": protos.comment(message.full_name),
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def _field(field: FieldDescriptor, protos: Protos) -> Schema:
    said = {"description": protos.comment(field.full_name)}
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        values = _value(kind.fields_by_name["value"], protos)
        return {**said, "type": "object", "additionalProperties": values}
    if field.is_repeated:
        return {**said, "type": "array", "items": _value(field, protos)}
    return {**_value(field, protos), **said}


def _value(field: FieldDescriptor, protos: Protos) -> Schema:
    if field.message_type is None:
        return dict(_NUMBERS[field.type])
    if field.message_type.full_name == _LIST_VALUE:
        return {"type": "array", "items": {"type": "string"}}
    return _object(field.message_type, protos)
