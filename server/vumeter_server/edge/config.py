"""`envoy.yaml`, filled in for one start.

The file runs as it stands; what differs from start to start is put in its place here: where to
listen, which servers to send to, where the descriptor set lies, which origins may ask.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vumeter_server.runtime.addresses import Address

TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
CORS = "envoy.filters.http.cors"
FILE_ACCESS_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeFiles:
    """The two files that the edge is made of."""

    envoy_yaml: Path
    descriptor_set: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeConfig:
    """What one start decides; port 0 lets the system choose."""

    listen: Address
    upstreams: Sequence[Address | Path]
    """Addresses and sockets of servers."""
    tls: Mapping[str, Any] | None = None
    """The transport socket of the listener; None without TLS."""
    cors_origins: Sequence[str] = ()
    access_log: bool = True
    access_log_file: Path | None = None
    """Where its lines go; None: to stdout."""
    access_log_bytes: int = 16 * 1024 * 1024
    """From which size on the file is put aside for a new one."""
    admin_socket: Path | None = None
    """Where the admin interface listens; None: on the loopback port that envoy.yaml gives."""
    admin_port: int | None = None
    """A loopback port for it instead."""


def edge_files() -> EdgeFiles:
    """Return the files of the checkout this package is run from, else those of the installed one.

    Raises FileNotFoundError if there are neither.
    """
    here = Path(__file__).resolve().parent
    checkout = here.parent.parent.parent
    for envoy_yaml, descriptor_set in (
        (checkout / "envoy.yaml", checkout / "generated" / "api.binpb"),
        (here / "envoy.yaml", here / "api.binpb"),
    ):
        if envoy_yaml.is_file() and descriptor_set.is_file():
            return EdgeFiles(envoy_yaml=envoy_yaml, descriptor_set=descriptor_set)
    raise FileNotFoundError("envoy.yaml and api.binpb are missing from this installation")


def load(envoy_yaml: Path) -> dict[str, Any]:
    """Read `envoy.yaml` as it stands."""
    bootstrap: dict[str, Any] = yaml.safe_load(envoy_yaml.read_text())
    return bootstrap


def render(files: EdgeFiles, config: EdgeConfig) -> str:
    """Return Envoy's configuration as JSON, filled in for one start."""
    bootstrap = load(files.envoy_yaml)
    if config.admin_socket is not None:
        bootstrap["admin"]["address"] = {"pipe": {"path": str(config.admin_socket), "mode": 0o600}}
    elif config.admin_port is not None:
        bootstrap["admin"]["address"]["socket_address"]["port_value"] = config.admin_port
    listener(bootstrap)["address"] = _address(config.listen)
    if config.tls is not None:
        listener(bootstrap)["filter_chains"][0]["transport_socket"] = config.tls
    manager = connection_manager(bootstrap)
    if not config.access_log:
        manager["access_log"] = []
    elif config.access_log_file is not None:
        _to_file(manager["access_log"][0], config.access_log_file)
    virtual_host = manager["route_config"]["virtual_hosts"][0]
    virtual_host["typed_per_filter_config"][CORS]["allow_origin_string_match"] = [
        {"exact": origin} for origin in config.cors_origins
    ]
    transcoder(bootstrap)["proto_descriptor"] = str(files.descriptor_set)
    cluster(bootstrap)["load_assignment"]["endpoints"] = [
        {
            "lb_endpoints": [
                {"endpoint": {"address": _address(upstream)}} for upstream in config.upstreams
            ]
        }
    ]
    return json.dumps(bootstrap)


def listener(bootstrap: dict[str, Any]) -> dict[str, Any]:
    """Return the one listener."""
    (only,) = bootstrap["static_resources"]["listeners"]
    return dict_of(only)


def cluster(bootstrap: dict[str, Any]) -> dict[str, Any]:
    """Return the one cluster, the servers behind the edge."""
    (only,) = bootstrap["static_resources"]["clusters"]
    return dict_of(only)


def connection_manager(bootstrap: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of the listener's HTTP connection manager."""
    return dict_of(listener(bootstrap)["filter_chains"][0]["filters"][0]["typed_config"])


def transcoder(bootstrap: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of the JSON transcoder."""
    (only,) = [
        http_filter["typed_config"]
        for http_filter in connection_manager(bootstrap)["http_filters"]
        if http_filter["name"] == TRANSCODER
    ]
    return dict_of(only)


def dict_of(value: Any) -> dict[str, Any]:
    """Return `value`, which must be an object of the configuration."""
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {value!r}")
    return value


def _to_file(access_log: dict[str, Any], path: Path) -> None:
    """Let an access log write the same lines to a file."""
    access_log["name"] = "envoy.access_loggers.file"
    access_log["typed_config"] |= {"@type": FILE_ACCESS_LOG, "path": str(path.absolute())}


def _address(address: Address | Path) -> dict[str, Any]:
    if isinstance(address, Path):
        return {"pipe": {"path": str(address)}}
    return {"socket_address": {"address": address.host, "port_value": address.port}}
