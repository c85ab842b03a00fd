"""What every message, field and method of the protos has; they are read as protoc reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from vumeter.access.v1 import access_pb2, access_rest_pb2
from vumeter.custom_metrics.v1 import (
    custom_metrics_pb2,
    custom_metrics_rest_pb2,
    deletion_pb2,
    query_pb2,
)
from vumeter.dashboard.v1 import dashboard_rest_pb2
from vumeter.live_metrics.v1 import live_metrics_pb2, live_metrics_rest_pb2
from vumeter.openapi.v1 import annotations_pb2 as openapi_annotations_pb2
from vumeter.openapi.v1 import openapi_rest_pb2
from vumeter.otlp.v1 import otlp_pb2, otlp_rest_pb2
from vumeter.simulation.v1 import simulation_pb2, simulation_rest_pb2

PROTOS = Path(__file__).resolve().parent.parent.parent / "protos"
TYPED: list[FileDescriptor] = [
    custom_metrics_pb2.DESCRIPTOR,
    live_metrics_pb2.DESCRIPTOR,
    simulation_pb2.DESCRIPTOR,
]
REST: list[FileDescriptor] = [
    access_rest_pb2.DESCRIPTOR,
    dashboard_rest_pb2.DESCRIPTOR,
    custom_metrics_rest_pb2.DESCRIPTOR,
    live_metrics_rest_pb2.DESCRIPTOR,
    openapi_rest_pb2.DESCRIPTOR,
    otlp_rest_pb2.DESCRIPTOR,
    simulation_rest_pb2.DESCRIPTOR,
]
# Messages alone, which a typed service has its requests and answers from.
MESSAGES: list[FileDescriptor] = [deletion_pb2.DESCRIPTOR, query_pb2.DESCRIPTOR]
# What exporters send has a protocol that is not ours; ours only tells about it.
ABOUT_EXPORTS: list[FileDescriptor] = [otlp_pb2.DESCRIPTOR]
# What methods are annotated with; it travels in no request and no answer.
ANNOTATIONS: list[FileDescriptor] = [openapi_annotations_pb2.DESCRIPTOR]
# Nothing is recorded by it.
ABOUT_CALLERS: list[FileDescriptor] = [access_pb2.DESCRIPTOR]
FILES = [*TYPED, *REST, *MESSAGES, *ABOUT_EXPORTS, *ABOUT_CALLERS, *ANNOTATIONS]

COUNTS = (FieldDescriptor.TYPE_INT64,)
# What the column of a batch refers by, and the size of a page as AIP-158 has it.
OTHER_INTEGERS = {"name_indexes", "label_set_indexes", "session_indexes", "page_size"}
OTHER_INTEGERS |= {"distribution_indexes", "scale", "offset"}

# Answers with a repeated field whose length has a limit of its own, which the comment names.
BOUNDED = {
    "vumeter.otlp.v1.OtlpService.ListRejectedPoints": "100",
    "vumeter.custom_metrics.v1.CustomMetricsService.GetUsage": "10,000 entries",
    "vumeter.custom_metrics.v1.CustomMetricsService.QueryMetrics": "100,000 cells",
    "vumeter.custom_metrics.v1.CustomMetricsService.QueryTimeseries": "11,000 buckets",
    "vumeter.live_metrics.v1.LiveMetricsService.GetHistory": "11,000 buckets",
    "vumeter.simulation.v1.SimulationService.CompareExecutions": "the same ten",
}


def is_ours(message: Descriptor) -> bool:
    return message.full_name.startswith("vumeter.")


def reachable(message: Descriptor, found: dict[str, Descriptor]) -> None:
    """Add a message, and the messages of its fields, to those found."""
    if not is_ours(message) or message.full_name in found:
        return
    found[message.full_name] = message
    for field in message.fields:
        if field.message_type is not None:
            reachable(field.message_type, found)


def of_requests() -> list[FieldDescriptor]:
    found: dict[str, Descriptor] = {}
    for file in FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                reachable(method.input_type, found)
    return [
        field
        for message in found.values()
        if not message.GetOptions().map_entry
        for field in message.fields
    ]


def all_messages() -> list[Descriptor]:
    def below(messages: Iterator[Descriptor]) -> Iterator[Descriptor]:
        for message in messages:
            if not message.GetOptions().map_entry:
                yield message
                yield from below(iter(message.nested_types))

    return [m for file in FILES for m in below(iter(file.message_types_by_name.values()))]


def comments(name: str) -> dict[str, str]:
    """Return what is said in a proto file right above each name, by its path in the file."""
    said: dict[str, str] = {}
    waiting: list[str] = []
    # A oneof is a scope of the text, but not of names.
    scope: list[str | None] = []
    for raw in (PROTOS / name).read_text().splitlines():
        line = raw.strip()
        if line.startswith("//"):
            waiting.append(line.removeprefix("//").strip())
            continue
        words = line.split()
        named = ""
        if line.startswith("}"):
            scope.pop()
        elif words and words[0] in ("message", "enum", "service", "rpc", "oneof"):
            named = words[1].partition("(")[0]
        elif " = " in line and words[0] not in ("option", "syntax"):
            named = line.partition(" = ")[0].split()[-1]
        if named:
            path = ".".join([*filter(None, scope), named])
            said[path] = " ".join(waiting)
        if line.endswith("{"):
            scope.append(named if words[0] != "oneof" else None)
        waiting = []
    return said


def behaviors_of(field: FieldDescriptor) -> list[str]:
    """Return the names of a field's behaviors, as AIP-203 has them."""
    options = descriptor_pb2.FieldOptions.FromString(field.GetOptions().SerializeToString())
    name_of = field_behavior_pb2.FieldBehavior.Name
    return [name_of(each) for each in options.Extensions[field_behavior_pb2.field_behavior]]


@pytest.mark.parametrize("field", of_requests(), ids=lambda field: str(field.full_name))
def test_every_field_of_a_request_says_whether_it_is_required(field: FieldDescriptor) -> None:
    assert behaviors_of(field) in (["REQUIRED"], ["OPTIONAL"], ["REQUIRED", "IMMUTABLE"])


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if file not in ANNOTATIONS],
    ids=lambda file: Path(file.name).stem,
)
def test_every_field_of_an_answer_alone_is_output_only(file: FileDescriptor) -> None:
    """A message that a request also has says what that request needs: see the test above."""
    asked = {field.full_name for field in of_requests()}
    others = [field for field in fields_of([file]) if field.full_name not in asked]
    assert {field.full_name: behaviors_of(field) for field in others} == {
        field.full_name: ["OUTPUT_ONLY"] for field in others
    }


def test_all_proto_files_are_looked_at() -> None:
    assert sorted(file.name for file in FILES) == sorted(
        path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto")
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file.name).stem)
def test_everything_has_a_comment(file: FileDescriptor) -> None:
    said = comments(file.name)
    wanted = []
    for service in file.services_by_name.values():
        wanted += [service.name, *(f"{service.name}.{method.name}" for method in service.methods)]
    for enum in file.enum_types_by_name.values():
        wanted += [enum.name, *(f"{enum.name}.{value.name}" for value in enum.values)]
    for message in all_messages():
        if message.file.name == file.name:
            path = message.full_name.removeprefix(f"{file.package}.")
            wanted += [path, *(f"{path}.{field.name}" for field in message.fields)]
    assert [path for path in wanted if not said.get(path)] == []


@pytest.mark.parametrize("file", TYPED, ids=lambda file: Path(file.name).stem)
def test_every_list_that_can_grow_comes_in_pages(file: FileDescriptor) -> None:
    said = comments(file.name)
    for service in file.services_by_name.values():
        for method in service.methods:
            answer = method.output_type
            is_stream = method.client_streaming or method.server_streaming
            if is_stream or not any(field.is_repeated for field in answer.fields):
                continue
            if bound := BOUNDED.get(method.full_name):
                said = {**said, **comments(answer.file.name)}
                about = [text for name, text in said.items() if method.name in name]
                about += [said[f"{answer.name}.{field.name}"] for field in answer.fields]
                assert any(bound in text for text in about), method.full_name
                continue
            asked = method.input_type.fields_by_name
            assert asked["page_size"].type == FieldDescriptor.TYPE_INT32, method.full_name
            assert asked["page_token"].type == FieldDescriptor.TYPE_STRING
            assert answer.fields_by_name["next_page_token"].type == FieldDescriptor.TYPE_STRING


@pytest.mark.parametrize("file", TYPED, ids=lambda file: Path(file.name).stem)
def test_every_stream_of_batches_is_answered_by_sequence(file: FileDescriptor) -> None:
    (method,) = [
        method
        for service in file.services_by_name.values()
        for method in service.methods
        if method.client_streaming and not method.name.endswith("Columns")
    ]
    assert method.server_streaming
    assert [(f.name, f.number) for f in method.output_type.fields] == [
        ("sequence", 1),
        ("recorded", 2),
        ("error", 3),
    ]


def fields_of(files: list[FileDescriptor]) -> list[FieldDescriptor]:
    names = {file.name for file in files}
    return [f for message in all_messages() if message.file.name in names for f in message.fields]


def test_integers_of_typed_messages_are_of_64_bits() -> None:
    integers = [
        field
        for field in fields_of(TYPED)
        if field.cpp_type
        in (
            FieldDescriptor.CPPTYPE_INT32,
            FieldDescriptor.CPPTYPE_INT64,
            FieldDescriptor.CPPTYPE_UINT32,
            FieldDescriptor.CPPTYPE_UINT64,
        )
    ]
    others = {field.full_name for field in integers if field.type not in COUNTS}
    assert {name for name in others if name.rpartition(".")[2] not in OTHER_INTEGERS} == set()


def test_no_integer_of_the_documented_json_is_printed_as_text() -> None:
    """Proto JSON writes numbers of 64 bits in quotes."""
    for field in fields_of(REST):
        assert field.cpp_type not in (
            FieldDescriptor.CPPTYPE_INT64,
            FieldDescriptor.CPPTYPE_UINT64,
        ), field.full_name


def test_times_are_named_as_times() -> None:
    for field in fields_of(TYPED):
        kind = field.message_type.full_name if field.message_type else ""
        assert (kind == "google.protobuf.Timestamp") == field.name.endswith("_time"), field.name


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file.name).stem)
def test_every_file_names_its_place_in_other_languages(file: FileDescriptor) -> None:
    options = file.GetOptions()
    assert options.java_multiple_files
    for option in (
        "csharp_namespace",
        "go_package",
        "java_outer_classname",
        "java_package",
        "php_namespace",
        "ruby_package",
    ):
        assert getattr(options, option), option


def test_methods_without_side_effects_are_those_that_ask() -> None:
    no_side_effects = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    for file in FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                options = descriptor_pb2.MethodOptions.FromString(
                    method.GetOptions().SerializeToString()
                )
                asks = method.name.startswith(("Get", "List", "Query", "Watch")) or method.name in (
                    "AggregateMetrics",
                    "CompareExecutions",
                    "ExportPoints",
                    "ExportEvents",
                    "ExportCalls",
                )
                assert (options.idempotency_level == no_side_effects) == asks, method.full_name
                if rule := options.Extensions[annotations_pb2.http].get:
                    assert asks, rule
