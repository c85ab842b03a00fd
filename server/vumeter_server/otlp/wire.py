"""Requests of OTLP, parsed with their attributes left in the bytes in which they came.

Reading attributes is most of the work of reading a request, and nearly all were seen before. So
requests are read as messages of another type, derived from OTLP's own, which differs in what the
wire does not show: attributes, resources, scopes and points of numbers are bytes, and exemplars are
left out. `number_points` reads the points.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from vumeter_server.errors import InvalidArgument
from vumeter_server.otlp.attributes import Value

NO_REQUEST: Final = "The body must be an ExportMetricsServiceRequest"
PACKAGE: Final = "vumeter.otlp.wire"
_AS_BYTES: Final = frozenset({"attributes", "resource", "scope"})
_OF_NUMBERS: Final = frozenset({"Gauge", "Sum"})
_LEFT_OUT: Final = frozenset({"exemplars", "metadata", "schema_url"})
# Values are nested no deeper than this; what is deeper is left out.
MAX_DEPTH: Final = 16


def _derived_types() -> tuple[type[Message], type[Message]]:
    pool = descriptor_pool.DescriptorPool()
    for file in (common_pb2.DESCRIPTOR, resource_pb2.DESCRIPTOR):
        pool.AddSerializedFile(file.serialized_pb)
    for file in (metrics_pb2.DESCRIPTOR, metrics_service_pb2.DESCRIPTOR):
        pool.Add(_derived_file(file))
    request, number_point = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in ("ExportMetricsServiceRequest", "NumberDataPoint")
    )
    return request, number_point


def _derived_file(file: FileDescriptor) -> descriptor_pb2.FileDescriptorProto:
    derived = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(derived)
    own = {each.name for each in (metrics_pb2.DESCRIPTOR, metrics_service_pb2.DESCRIPTOR)}
    derived.name = _derived_name(file.name)
    derived.package = PACKAGE
    del derived.service[:]
    dependencies = [_derived_name(each) if each in own else each for each in derived.dependency]
    derived.dependency[:] = dependencies
    for message in derived.message_type:
        _derive(message)
    return derived


def _derived_name(name: str) -> str:
    return f"{PACKAGE}/{name}"


def _derive(message: descriptor_pb2.DescriptorProto) -> None:
    for nested in message.nested_type:
        _derive(nested)
    kept = [each for each in message.field if each.name not in _LEFT_OUT]
    for each in kept:
        if each.name in _AS_BYTES:
            each.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            each.ClearField("type_name")
        elif each.type_name.startswith(
            (".opentelemetry.proto.metrics.", ".opentelemetry.proto.col")
        ):
            for package in (metrics_pb2.DESCRIPTOR.package, metrics_service_pb2.DESCRIPTOR.package):
                each.type_name = each.type_name.replace(f".{package}.", f".{PACKAGE}.")
        if message.name in _OF_NUMBERS and each.name == "data_points":
            each.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            each.ClearField("type_name")
    fields = [descriptor_pb2.FieldDescriptorProto.FromString(e.SerializeToString()) for e in kept]
    del message.field[:]
    message.field.extend(fields)


_TYPES: Final = _derived_types()
REQUEST: Final[Any] = _TYPES[0]
"""The type that requests are read as."""
NUMBER_POINT: Final[Any] = _TYPES[1]
"""The type that the points of gauges and sums are read as."""


def read_request(data: bytes) -> Any:
    """Return the request that `data` holds; raises InvalidArgument if it is none."""
    return parse(REQUEST, data)


def read_attribute(data: bytes) -> tuple[str, Value]:
    """Return key and value of an attribute."""
    read = parse(common_pb2.KeyValue, data)
    return read.key, value_of(read.value)


def read_resource(data: bytes) -> dict[str, Value]:
    """Return the attributes of a resource."""
    return _attributes_of(parse(resource_pb2.Resource, data).attributes)


def read_scope(data: bytes) -> dict[str, Value]:
    """Return the attributes of a scope."""
    return _attributes_of(parse(common_pb2.InstrumentationScope, data).attributes)


def _attributes_of(given: Any) -> dict[str, Value]:
    return {each.key: value_of(each.value) for each in given}


def parse(message: type[Any], data: bytes) -> Any:
    """Return the message of a type that a request holds; raises InvalidArgument if it is none."""
    try:
        return message.FromString(data)
    except DecodeError:
        raise InvalidArgument(NO_REQUEST) from None


def value_of(value: Any, depth: int = 0) -> Value:
    """Return what an AnyValue holds."""
    kind = value.WhichOneof("value")
    if kind is None or depth > MAX_DEPTH:
        return None
    held = getattr(value, kind)
    if kind == "array_value":
        return [value_of(each, depth + 1) for each in held.values]
    if kind == "kvlist_value":
        return {each.key: value_of(each.value, depth + 1) for each in held.values}
    read: Value = held
    return read


def attribute(key: str, value: Any) -> bytes:
    """Return an attribute in the bytes of protobuf; `value` holds the fields of an AnyValue."""
    data: bytes = common_pb2.KeyValue(key=key, value=value).SerializeToString()
    return data


def resource(attributes: list[bytes]) -> bytes:
    """Return a resource of these attributes in the bytes of protobuf."""
    read = [common_pb2.KeyValue.FromString(each) for each in attributes]
    data: bytes = resource_pb2.Resource(attributes=read).SerializeToString()
    return data


def scope(name: str, version: str, attributes: list[bytes]) -> bytes:
    """Return a scope in the bytes of protobuf."""
    read = [common_pb2.KeyValue.FromString(each) for each in attributes]
    made = common_pb2.InstrumentationScope(name=name, version=version, attributes=read)
    data: bytes = made.SerializeToString()
    return data
