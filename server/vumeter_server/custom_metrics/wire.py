"""Recorded batches, parsed with their labels left in the bytes in which they came.

Reading labels into maps is most of the work of reading a batch, and nearly all were seen before. So
batches are read as messages of another type, derived from the API's own, which differs in one thing
that the wire does not show: the entries of `tags`, and the label sets of columns, are bytes. Bytes
that are known need not be read (KnownLabelSets); the others are read by the API's own messages.

What is exported has its columns in bytes, too: packed, as `varints` has them, or as doubles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError, Message

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.api.times import instants_us
from vumeter_server.custom_metrics.columnar import UncheckedColumns
from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
)
from vumeter_server.custom_metrics.label_sets import KnownLabelSets
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.validation import UNKNOWN_TYPE, UncheckedPoints
from vumeter_server.errors import InvalidArgument

PACKAGE: Final = "vumeter.custom_metrics.v1.wire"
AS_BYTES: Final = frozenset(
    {("Point", "tags"), ("LabelSet", "tags"), ("PointColumns", "label_sets")}
)
# The columns of exported points that are bytes; all of them are packed.
EXPORTED_AS_BYTES: Final = frozenset(
    {"name_indexes", "values", "times_us", "label_set_indexes", "session_indexes"}
)
_EXPORTED_COLUMNS: Final = "ExportedPointColumns"

# The numbers are the proto's own: those of MetricType are what is stored. 0 is none given.
_TYPES: Final[Mapping[int, int]] = {
    pb.METRIC_TYPE_UNSPECIFIED: 0,
    pb.METRIC_TYPE_COUNTER: MetricType.COUNTER.value,
    pb.METRIC_TYPE_GAUGE: MetricType.GAUGE.value,
    pb.METRIC_TYPE_HISTOGRAM: MetricType.HISTOGRAM.value,
}

# The ids of a point, and the entries of its tags as bytes.
PointKey = tuple[Any, ...]


def _derived_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()

    def add(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            add(dependency)
        pool.AddSerializedFile(file.serialized_pb)

    for dependency in pb.DESCRIPTOR.dependencies:
        add(dependency)
    derived = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(derived)
    derived.name, derived.package = f"{PACKAGE}.proto", PACKAGE
    del derived.service[:]
    for message in derived.message_type:
        _derive(message)
    _derive_exported(derived)
    pool.Add(derived)
    return pool


def _derive_exported(file: descriptor_pb2.FileDescriptorProto) -> None:
    """Give what is exported columns of a type of its own."""
    messages = {message.name: message for message in file.message_type}
    columns = file.message_type.add()
    columns.CopyFrom(messages["PointColumns"])
    columns.name = _EXPORTED_COLUMNS
    for field in columns.field:
        if field.name in EXPORTED_AS_BYTES:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    for field in messages["ExportPointsResponse"].field:
        if field.name == "columns":
            field.type_name = f".{PACKAGE}.{_EXPORTED_COLUMNS}"


def _derive(message: descriptor_pb2.DescriptorProto) -> None:
    for nested in message.nested_type:
        _derive(nested)
    for field in message.field:
        if (message.name, field.name) in AS_BYTES:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
        elif field.HasField("type_name") and _is_own(field.type_name):
            field.type_name = field.type_name.replace(f".{pb.DESCRIPTOR.package}.", f".{PACKAGE}.")


def _is_own(type_name: str) -> bool:
    """Whether a type is defined by the file that is derived, and not by another of its package."""
    name = type_name.removeprefix(f".{pb.DESCRIPTOR.package}.").partition(".")[0]
    return name in pb.DESCRIPTOR.message_types_by_name or name in pb.DESCRIPTOR.enum_types_by_name


_POOL: Final = _derived_pool()


def _derived(message: str) -> type[Message]:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{message}"))


_LABEL_SET: Final[Any] = _derived("LabelSet")
REQUEST_TYPES: Final = {
    # What other files define has no field that is read as bytes.
    method.name: _derived(method.input_type.name)
    if method.input_type.file is pb.DESCRIPTOR
    else message_factory.GetMessageClass(method.input_type)
    for method in pb.DESCRIPTOR.services_by_name["CustomMetricsService"].methods
}
"""By method of CustomMetricsService, the type that its requests can be read as."""

EXPORTED: Final[Any] = _derived("ExportPointsResponse")
EXPORTED_COLUMNS: Final[Any] = _derived(_EXPORTED_COLUMNS)
"""ExportPointsResponse and its PointColumns, whose label sets and columns are bytes."""


def count(request: Any) -> int:
    """Return how many points the request of any recording holds."""
    return len(request.columns.name_indexes if _has_columns(request) else request.points)


def read(request: Any) -> UncheckedPoints | UncheckedColumns:
    """Return what the request of any recording holds.

    Raises InvalidArgument that names `points[3].occur_time` for what is no instant.
    """
    return _columns(request.columns) if _has_columns(request) else _points(request.points)


def _has_columns(request: Any) -> bool:
    return "columns" in request.DESCRIPTOR.fields_by_name


def _points(points: Iterable[Any]) -> UncheckedPoints:
    given = list(points)
    values: list[float | None] = [point.value for point in given]
    distributions: dict[int, GivenDistribution] = {}
    for index in _zeros(values):
        measurement = given[index].WhichOneof("measurement")
        if measurement == "distribution":
            field = f"points[{index}].distribution"
            distributions[index] = _distribution(given[index].distribution, field)
        if measurement != "value":
            values[index] = None
    return UncheckedPoints(
        names=[point.name for point in given],
        types=[_TYPES.get(point.type, UNKNOWN_TYPE) for point in given],
        values=values,
        timestamps=_timestamps(given),
        session_ids=[point.session_id for point in given],
        label_keys=[(point.agent_id, point.environment_id, *point.tags[:]) for point in given],
        label_sets=_OF_POINTS,
        distributions=distributions,
    )


def _distribution(given: Any, field: str) -> GivenDistribution:
    if not given.HasField("sum"):
        raise InvalidArgument.of(f"{field}.sum", "must be given")
    return GivenDistribution(
        count=given.count,
        sum=given.sum,
        min=given.min if given.HasField("min") else None,
        max=given.max if given.HasField("max") else None,
        bounds=tuple(given.bounds),
        counts=tuple(given.bucket_counts),
        scale=given.scale if given.HasField("scale") else None,
        zero_count=given.zero_count,
        positive=ExponentialBuckets(given.positive.offset, tuple(given.positive.bucket_counts)),
        negative=ExponentialBuckets(given.negative.offset, tuple(given.negative.bucket_counts)),
    )


def _timestamps(given: Sequence[Any]) -> list[int | None]:
    read: list[int | None] = instants_us(
        [point.occur_time for point in given], "points[{}].occur_time"
    ).tolist()
    for index in _zeros(read):
        if not given[index].HasField("occur_time"):
            read[index] = None
    return read


def _zeros(numbers: Iterable[float | None]) -> list[int]:
    """Return where numbers are 0, as those that are absent read."""
    return [index for index, number in enumerate(numbers) if number == 0]


def _columns(given: Any) -> UncheckedColumns:
    return UncheckedColumns(
        names=given.names,
        types=[_TYPES.get(each, UNKNOWN_TYPE) for each in given.types],
        name_indexes=given.name_indexes,
        values=given.values,
        times_us=given.times_us,
        label_keys=given.label_sets[:],
        label_sets=_OF_COLUMNS,
        label_set_indexes=given.label_set_indexes,
        sessions=given.sessions,
        session_indexes=given.session_indexes,
        distribution_indexes=given.distribution_indexes,
        distributions=[
            _distribution(each, f"columns.distributions[{index}]")
            for index, each in enumerate(given.distributions)
        ],
    )


def split_label_set(data: bytes) -> tuple[Any, ...]:
    """Return the agent, the environment and the entries of `tags` of a LabelSet; see `read_tag`.

    Raises InvalidArgument for what is no message.
    """
    try:
        read = _LABEL_SET.FromString(data)
    except DecodeError:
        raise _malformed() from None
    return (read.agent_id, read.environment_id, *read.tags[:])


def read_tag(entry: bytes) -> tuple[str, str]:
    """Return name and value of an entry of `tags`; raises InvalidArgument for what is no entry."""
    try:
        read = pb.LabelSet.FromString(_LABEL_SET(tags=[entry]).SerializeToString())
    except DecodeError:
        raise _malformed() from None
    # The entry of a map that has anything else than a key and a value is left out of the map.
    if len(read.tags) != 1:
        raise _malformed()
    ((name, value),) = read.tags.items()
    return name, value


def _malformed() -> InvalidArgument:
    return InvalidArgument("Malformed request")


_OF_POINTS: Final[KnownLabelSets[PointKey]] = KnownLabelSets(lambda key: key, read_tag)
_OF_COLUMNS: Final[KnownLabelSets[bytes]] = KnownLabelSets(split_label_set, read_tag)
