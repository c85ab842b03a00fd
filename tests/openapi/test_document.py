"""The OpenAPI document is valid, complete, and says what the product does."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.edge.lua_filter import methods_of_paths
from tests.end_to_end.api import REST
from tests.end_to_end.examples import ANY, MAYBE, Example, load_examples
from tests.openapi.reading import (
    DOCUMENT,
    Operation,
    operation_at,
    operations,
    problems,
    resolved,
)

from vumeter_server.access.roles import METHODS, Role, Scheme
from vumeter_server.custom_metrics.query_body import DeleteBody, QueryBody
from vumeter_server.custom_metrics.record_body import RecordBody
from vumeter_server.edge.config import connection_manager, edge_files, load
from vumeter_server.live_metrics.rest_api import EventsBody
from vumeter_server.simulation.bodies import CallsBody, ExecutionBody

OPERATIONS = list(operations())
EXAMPLES = [each for each in load_examples() if not each.is_typed]
RECORDED = [
    (each.name, step["path"], step["body"])
    for each in EXAMPLES
    for step in each.content["record"]
    if "path" in step
]
# What Envoy answers itself is no method of the transcoder.
OF_ENVOY = {"/healthz", "/", "/ui", "/docs"}
# Whose paths the transcoder knows without the slash at their end.
WITH_SLASH = {"/ui/", "/docs/"}
# A call was asked for, which says that pages do not count.
IGNORED = {"simulation/metrics_call_before_execution_before_run_test": {"page", "limit"}}
BODIES: dict[str, type[msgspec.Struct]] = {
    "RecordBody": RecordBody,
    "QueryBody": QueryBody,
    "DeleteBody": DeleteBody,
    "EventsBody": EventsBody,
    "ExecutionBody": ExecutionBody,
    "CallsBody": CallsBody,
}


def test_it_is_valid() -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_path_that_envoy_transcodes_is_in_it_and_no_other() -> None:
    described: dict[str, set[str]] = {}
    for each in OPERATIONS:
        if each.path not in OF_ENVOY:
            path = re.sub(r"\{\w+\}$", "*", each.path.rstrip("/"))
            described.setdefault(path, set()).add(each.verb.upper())
    assert described == methods_of_paths()


def test_every_path_that_envoy_answers_itself_is_in_it() -> None:
    manager = connection_manager(load(edge_files().envoy_yaml))
    routes = [
        each["match"]
        for each in manager["route_config"]["virtual_hosts"][0]["routes"]
        if "redirect" in each
    ]
    expressions = [
        match["safe_regex"]["regex"] if "safe_regex" in match else re.escape(match["path"])
        for match in routes
    ]
    (health,) = [each for each in manager["http_filters"] if each["name"].endswith("health_check")]
    expressions.append(health["typed_config"]["headers"][0]["string_match"]["safe_regex"]["regex"])
    paths = {each.path for each in OPERATIONS}
    answered = {path for path in paths for each in expressions if re.fullmatch(each, path)}
    assert answered == OF_ENVOY
    # An expression that no path of the document fits would be a path that is missing.
    assert all(any(re.fullmatch(each, path) for path in paths) for each in expressions)


@pytest.mark.parametrize("method", REST, ids=[each.name for each in REST])
def test_its_credentials_and_parameters_are_those_of_the_method(method: Any) -> None:
    path = re.sub(
        r"\{(\w+)\}",
        lambda m: f"{{{method.descriptor.input_type.fields_by_name[m[1]].json_name}}}",
        method.path,
    )
    path = path + "/" if f"{path}/" in WITH_SLASH else path
    content = DOCUMENT["paths"][path][method.verb.lower()]
    access = METHODS[method.name.replace("/", ".")]
    roles = sorted(role.value for role in access.roles)
    expected = {
        Scheme.PUBLIC: [],
        Scheme.BEARER: [{"key": roles}],
        Scheme.BEARER_OR_BASIC: [{"key": roles}, {"keyAsPassword": roles}],
        Scheme.KEY_PAIR: [{"keyId": roles, "keySecret": roles}],
        Scheme.LIVE: [{"adminToken": []}, {"key": roles}],
    }
    assert content["security"] == expected[access.scheme]
    assert {Role(role) for role in roles} == access.roles
    in_query = [each["name"] for each in content.get("parameters", []) if each["in"] == "query"]
    assert in_query == method.query_parameters


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_operation_is_described_and_unique(operation: Operation) -> None:
    content = operation.content
    assert content["summary"].endswith(".")
    assert len(content["summary"]) <= 140
    assert [each.name for each in OPERATIONS].count(operation.name) == 1
    assert set(content["tags"]) <= {each["name"] for each in DOCUMENT["tags"]}
    assert all(each["description"] for each in content.get("parameters", []))
    for status, response in content["responses"].items():
        found = resolved(response)
        assert found["description"]
        if int(status) >= 400:
            assert found["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/Error"
            }


def test_nothing_in_its_components_is_left_over() -> None:
    text = json.dumps(DOCUMENT)
    for kind in ("schemas", "headers", "responses"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_the_answer_of_an_example_is_as_described(example: Example) -> None:
    operation = operation_at(example.ask["method"], example.ask["path"])
    response = operation.response(example.content["status"])
    schema = response["content"]["application/json"]["schema"]
    assert problems(schema, filled(example.content["answer"])) == []


@pytest.mark.parametrize(
    "example", [each for each in EXAMPLES if each.is_success], ids=lambda each: each.name
)
def test_the_request_of_an_example_is_as_described(example: Example) -> None:
    ask = example.ask
    operation = operation_at(ask["method"], ask["path"])
    if "body" in ask:
        assert problems(operation.request_schema(), ask["body"]) == []
    given = ask.get("query") or {}
    known = {each["name"]: each for each in operation.content.get("parameters", [])}
    assert given.keys() <= known.keys()
    for name, parameter in known.items():
        if name in given and name not in IGNORED.get(example.name, ()):
            assert not_allowed(parameter, given[name]) == []


@pytest.mark.parametrize(("name", "path", "body"), RECORDED, ids=[each[0] for each in RECORDED])
def test_what_an_example_records_first_is_as_described(name: str, path: str, body: Any) -> None:
    assert problems(operation_at("POST", path).request_schema(), body) == []


def test_the_examples_in_it_are_as_described() -> None:
    shown = 0
    for operation in OPERATIONS:
        parts = [resolved(each) for each in operation.content["responses"].values()]
        parts.append(operation.content.get("requestBody", {}))
        for part in parts:
            for content in part.get("content", {}).values():
                for name, example in content.get("examples", {}).items():
                    assert problems(content["schema"], example["value"]) == [], name
                    shown += 1
    assert shown > 100


@pytest.mark.parametrize("name", BODIES)
def test_the_fields_of_a_body_are_those_that_the_server_reads(name: str) -> None:
    compare({"$ref": f"#/components/schemas/{name}"}, BODIES[name])


def compare(schema: Any, kind: Any) -> None:
    """Assert that a schema has the fields of a struct, and theirs."""
    described = resolved(schema)
    if "oneOf" in described:
        # Variants of one struct have its fields together.
        variants = [resolved(each) for each in described["oneOf"]]
        properties = {k: v for each in variants for k, v in each["properties"].items()}
        required = set.intersection(*(set(each["required"]) for each in variants))
        closed = all(each["additionalProperties"] is False for each in variants)
    else:
        properties, required = described["properties"], set(described.get("required", ()))
        closed = described["additionalProperties"] is False
    read = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    assert closed
    assert properties.keys() == read.keys()
    # More may be required by the rules of what is recorded.
    assert {name for name, field in read.items() if field.required} <= required
    for name, field in read.items():
        for struct in structs_of(field.type):
            inner = resolved(properties[name])
            compare(inner.get("items", inner), struct)


def structs_of(kind: Any) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for each in getattr(kind, "__args__", ()) for found in structs_of(each)]


def not_allowed(parameter: dict[str, Any], text: str) -> list[str]:
    """Return what is wrong with the text of a parameter, which may stand for a number."""
    if "content" in parameter:
        return problems(parameter["content"]["application/json"]["schema"], json.loads(text))
    found = [problems(parameter["schema"], value) for value in readings(text)]
    return [] if [] in found else found[0]


def readings(text: str) -> list[Any]:
    try:
        return [text, json.loads(text)]
    except ValueError:
        return [text]


STAND_INS: dict[str, Any] = {"bytes": 1, "createTime": "2025-04-01T10:00:00Z"}


def filled(value: Any, key: str = "") -> Any:
    """Return an answer with something in place of what differs from run to run."""
    if isinstance(value, dict):
        return {each: filled(held, each) for each, held in value.items() if held != MAYBE} | {
            each: "2025-04-01T10:00:00Z" for each, held in value.items() if held == MAYBE
        }
    if isinstance(value, list):
        return [filled(held) for held in value]
    return STAND_INS.get(key, "vmk_x") if value == ANY else value
