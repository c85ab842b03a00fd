"""Attributes as labels, by the table of the mapping."""

from __future__ import annotations

from typing import Any

import pytest

from vumeter_server.custom_metrics.label_sets import MAX_TAG_VALUE, MAX_TAGS
from vumeter_server.custom_metrics.labels import RESERVED_LABELS, is_label_name
from vumeter_server.otlp.attributes import cut, label_name, text_of
from vumeter_server.otlp.mapping import DEFAULT_MAPPING, AttributeMapping, map_attributes

TEXTS = [
    ("de", "de"),
    (True, "true"),
    (False, "false"),
    (3, "3"),
    (-(2**63), "-9223372036854775808"),
    (0.5, "0.5"),
    (3.0, "3"),
    (0.1 + 0.2, "0.30000000000000004"),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (float("-inf"), "-Infinity"),
    (b"\xff\x00", "/wA="),
    (["de", "en"], '["de","en"]'),
    ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
    ("", ""),
    (None, ""),
    ("\ud800", "?"),
]

NAMES = [
    ("gen_ai.request.model", "gen_ai_request_model"),
    ("http-status/code", "http_status_code"),
    ("1st", "_1st"),
    ("größe", "gr__e"),
    ("date", "otel_date"),
    ("agent_id", "otel_agent_id"),
    ("", ""),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=str)
def test_values_become_texts(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(("key", "name"), NAMES)
def test_keys_become_names_of_labels(key: str, name: str) -> None:
    assert label_name(key) == name


@pytest.mark.parametrize("key", [*sorted(RESERVED_LABELS), "x" * 500, "7", "-", "日本"])
def test_every_key_becomes_a_name_that_a_label_may_have(key: str) -> None:
    name = label_name(key)
    assert is_label_name(name)
    assert name not in RESERVED_LABELS


def test_long_values_are_cut_and_stay_apart() -> None:
    first, second = cut("a" * 300), cut("a" * 299 + "b")
    assert len(first) == len(second) == MAX_TAG_VALUE
    assert first != second
    assert first[:247] == "a" * 247
    assert first[247] == "~"
    assert cut("a" * MAX_TAG_VALUE) == "a" * MAX_TAG_VALUE


def mapped(
    point: dict[str, Any] | None = None,
    resource: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
    mapping: AttributeMapping = DEFAULT_MAPPING,
) -> tuple[dict[str, str], str]:
    found = map_attributes(mapping, point or {}, scope or {}, resource or {})
    return dict(found.label_set), found.session_id


def test_the_agent_is_the_first_key_with_a_value_in_point_scope_and_resource() -> None:
    resource = {"service.name": "worker", "agent.id": ""}
    assert mapped({}, resource)[0] == {"agent_id": "worker"}
    assert mapped({"agent.id": "a"}, resource)[0] == {"agent_id": "a"}
    of_livekit: dict[str, Any] = {"lk.agent_name": "b"}
    nothing: dict[str, Any] = {}
    for places in ((of_livekit, nothing), (nothing, of_livekit)):
        # What the point says beside it stays a label.
        labels, _ = mapped({"agent.id": "a"}, *places)
        assert labels == {"agent_id": "b", "otel_agent_id": "a"}


@pytest.mark.parametrize("name", ["unknown_service", "unknown_service:python", "livekit-agents"])
def test_a_service_without_a_name_of_its_own_is_no_agent(name: str) -> None:
    assert mapped({}, {"service.name": name})[0] == {}


def test_environment_and_session_are_found_and_are_no_labels() -> None:
    labels, session = mapped(
        {"session.id": "s-1", "gen_ai.conversation.id": "c", "topic": "hours"},
        {"deployment.environment": "old", "deployment.environment.name": "staging"},
    )
    assert labels == {"environment_id": "staging", "topic": "hours"}
    assert session == "s-1"
    assert mapped({"session.id": "s-1", "room_id": "r"}) == ({}, "r")


def test_of_the_resource_only_version_and_namespace_become_labels() -> None:
    resource = {
        "service.version": "1.2",
        "service.namespace": "clinic",
        "service.instance.id": "w-1",
        "cloud.region": "eu",
        "host.name": "h",
    }
    assert mapped({}, resource)[0] == {"service_version": "1.2", "service_namespace": "clinic"}
    assert mapped({"service.version": "2"}, resource)[0]["service_version"] == "2"


def test_what_tells_machines_apart_is_dropped() -> None:
    point = {
        "job_id": "AJ",
        "telemetry.sdk.name": "x",
        "process.pid": 3,
        "lk.redaction.enabled": False,
        "lk.simulation.enabled": False,
        "topic": "hours",
    }
    assert mapped(point)[0] == {"topic": "hours"}
    assert mapped({"lk.simulation.enabled": True})[0] == {"lk_simulation_enabled": "true"}


def test_keys_that_become_one_name_are_joined_in_the_order_of_the_keys() -> None:
    assert mapped({"a.b": "2", "a-b": "1", "a_b": "3"})[0] == {"a_b": "1;2;3"}


def test_of_too_many_labels_the_points_own_come_first_by_name() -> None:
    point = {f"p{number:02}": "x" for number in range(31)}
    resource = {"service.version": "1", "service.namespace": "n"}
    found = map_attributes(DEFAULT_MAPPING, point, {}, resource)
    labels = dict(found.label_set)
    assert len(labels) == MAX_TAGS
    assert labels.keys() == {*point, "service_namespace"}
    assert found.dropped_labels == 1
    many = map_attributes(DEFAULT_MAPPING, {f"p{n:02}": "x" for n in range(40)}, {}, resource)
    assert [name for name, _ in many.label_set] == [f"p{n:02}" for n in range(MAX_TAGS)]
    assert many.dropped_labels == 10


def test_cut_values_are_counted() -> None:
    found = map_attributes(DEFAULT_MAPPING, {"a": "x" * 300, "agent.id": "y" * 300}, {}, {})
    assert found.cut_values == 2
    assert {len(value) for _, value in found.label_set} == {MAX_TAG_VALUE}


def test_an_organization_can_map_otherwise() -> None:
    own = AttributeMapping(
        agent=("bot",),
        environment=(),
        session=("call.sid",),
        kept=("cloud.*",),
        dropped=("secret*",),
    )
    point = {"bot": "b", "call.sid": "CA1", "secret_key": "x", "room_id": "r"}
    labels, session = mapped(point, {"cloud.region": "eu", "deployment.environment": "p"}, {}, own)
    assert labels == {"agent_id": "b", "cloud_region": "eu", "room_id": "r"}
    assert session == "CA1"
