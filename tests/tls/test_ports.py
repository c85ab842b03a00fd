"""Both ports speak TLS, and take those alone who show a certificate of the authority."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import warnings
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from tests.commands.command import try_vumeter
from tests.tls.authority import PASSED, Authority, Pair, channel, context
from tests.tls.conftest import Secured
from tests.tls.handshakes import is_served

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter_client import Client, ConnectionFailed, Metric, Recorder
from vumeter_server.access.keys import NewKey

BOTH = pytest.mark.parametrize("port", ["Envoy", "server"])
_numbers = count(1)


@pytest.fixture
def key(secured: Secured) -> NewKey:
    return secured.stack.make_key(f"Secured {next(_numbers)}")


def port_of(secured: Secured, name: str) -> tuple[str, int]:
    url = secured.stack.rest_url if name == "Envoy" else f"//{secured.stack.grpc_target}"
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def names(secured: Secured, target: str, key: NewKey, shown: Pair | None) -> list[str]:
    with channel(target, secured.authority, shown) as opened:
        stub = CustomMetricsServiceStub(opened)
        metadata = (("authorization", f"Bearer {key.bearer}"),)
        request = pb.ListMetricNamesRequest()
        return list(stub.ListMetricNames(request, metadata=metadata, timeout=20).names)


def test_the_client_records_and_queries_over_rest(secured: Secured, key: NewKey) -> None:
    url, client = secured.stack.rest_url, secured.client
    files: dict[str, Any] = {
        "ca_file": secured.authority.file,
        "client_cert": client.certificate,
        "client_key": client.key,
    }
    assert url.startswith("https://127.0.0.1:")
    with Recorder(url, key.bearer, **files) as recorder:
        recorder.count("turns", 3)
        assert recorder.flush(30)
    asked = {"turns": Metric("turns", "sum")}
    (row,) = Client(url, key.bearer, **files).query("2025-01-01", "2034-12-31", asked).rows
    assert row.values["turns"] == 3


def test_grpc_is_answered_on_both_ports(secured: Secured, key: NewKey) -> None:
    for target in (secured.stack.grpc_target, secured.stack.edge_target):
        assert names(secured, target, key, secured.client) == []


def test_a_worker_forwards_recordings_to_the_one_that_writes(secured: Secured, key: NewKey) -> None:
    metadata = (("authorization", f"Bearer {key.bearer}"),)
    batch = pb.RecordPointsRequest(points=[pb.Point(name="booking_attempt", value=1)])
    for _ in range(8):
        # A connection of its own each time, so that Envoy chooses again.
        with channel(secured.stack.edge_target, secured.authority, secured.client) as opened:
            answered = CustomMetricsServiceStub(opened).RecordPoints(batch, metadata=metadata)
        assert answered.recorded == 1


def test_commands_speak_tls(secured: Secured, key: NewKey, tmp_path: Path) -> None:
    file = tmp_path / "points.ndjson"
    file.write_text('{"timestamp":"2025-04-01T12:00:00Z","name":"booking_attempt","value":1}\n')

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return try_vumeter(
            *("import", "custom-metrics", str(file), "--target", secured.stack.grpc_target),
            *options,
            VUMETER_API_KEY=key.key_id,
            VUMETER_SECRET_KEY=key.secret,
        )

    trust = ("--tls-ca", str(secured.authority.file))
    show = ("--tls-cert", str(secured.client.certificate), "--tls-key", str(secured.client.key))
    done = run(*trust, *show)
    assert done.returncode == 0, done.stderr
    assert names(secured, secured.stack.grpc_target, key, secured.client) == ["booking_attempt"]
    half = run(*trust, *show[:2])
    assert (half.returncode, half.stderr.splitlines()[-1]) == (
        2,
        "vumeter import custom-metrics: --tls-cert and --tls-key are needed together",
    )


@BOTH
def test_a_client_with_a_certificate_of_the_authority_is_served(
    secured: Secured, port: str
) -> None:
    assert is_served(port_of(secured, port), context(secured.authority, secured.client))


@BOTH
def test_a_client_without_a_certificate_is_not_served(secured: Secured, port: str) -> None:
    assert not is_served(port_of(secured, port), context(secured.authority))


@BOTH
def test_a_certificate_of_another_authority_is_not_served(
    secured: Secured, stranger: Authority, port: str
) -> None:
    shown = stranger.issue(f"client of {port}", "clinic@example.com")
    assert not is_served(port_of(secured, port), context(secured.authority, shown))


@BOTH
def test_an_expired_certificate_is_not_served(secured: Secured, port: str) -> None:
    shown = secured.authority.issue(f"expired {port}", "clinic@example.com", not_after=PASSED)
    assert not is_served(port_of(secured, port), context(secured.authority, shown))


@BOTH
def test_plain_text_is_not_served(secured: Secured, port: str) -> None:
    with socket.create_connection(port_of(secured, port), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert not plain.recv(100).startswith(b"HTTP/")


@BOTH
@pytest.mark.parametrize(
    ("version", "served"),
    [("TLSv1_3", True), ("TLSv1_2", True), ("TLSv1_1", False), ("TLSv1", False)],
)
def test_tls_before_1_2_is_not_served(
    secured: Secured, port: str, version: str, served: bool
) -> None:
    made = context(secured.authority, secured.client)
    # Else this side would not offer what is old.
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = made.maximum_version = ssl.TLSVersion[version]
    assert is_served(port_of(secured, port), made) == served


def test_a_client_that_does_not_trust_the_server_sends_nothing(
    secured: Secured, stranger: Authority, key: NewKey
) -> None:
    with pytest.raises(ConnectionFailed, match="certificate verify failed"):
        Client(secured.stack.rest_url, key.bearer, ca_file=stranger.file).query(
            "2025-04-01", "2025-04-02", {"turns": Metric("turns", "sum")}
        )
    with (
        channel(secured.stack.grpc_target, stranger, secured.client) as opened,
        pytest.raises(grpc.RpcError) as caught,
    ):
        CustomMetricsServiceStub(opened).ListMetricNames(pb.ListMetricNamesRequest(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
