"""TLS by a proxy in front, as the recipes have it: REST, gRPC and streams."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import requests
import trustme
from tests.deployment.conftest import ROOT, tool
from tests.stack import ADMIN_TOKEN, Stack
from tests.waiting import until

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter_server.edge.program import envoy_program
from vumeter_server.runtime.parent_death import ending_with_parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """A proxy that speaks TLS, and the authority that it shows a certificate of."""

    target: str
    authority: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def caddy(stack: Stack, work: Path, port: int) -> list[str]:
    """Write the recipe for Caddy with the names of the test; return the command."""
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    site = f"https://localhost:{port} {{\n\ttls {work}/chain.pem {work}/key.pem\n"
    text = text.replace("vumeter.example.com {\n", site).replace(
        "127.0.0.1:8080", stack.edge_target
    )
    file = work / "Caddyfile"
    # Nothing but the site: no port 80, no port for administration.
    file.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)
    return [tool("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]


def envoy(stack: Stack, work: Path, port: int) -> list[str]:
    """Write the recipe for Envoy with the names of the test; return the command."""
    text = (ROOT / "deploy" / "envoy-tls.yaml").read_text()
    for written, actual in (
        ("/etc/vumeter/tls/fullchain.pem", f"{work}/chain.pem"),
        ("/etc/vumeter/tls/privkey.pem", f"{work}/key.pem"),
        ("address: 0.0.0.0, port_value: 443", f"address: 127.0.0.1, port_value: {port}"),
        ("port_value: 8080", f"port_value: {stack.edge_target.rpartition(':')[2]}"),
    ):
        assert text.count(written) == 1, written
        text = text.replace(written, actual)
    file = work / "envoy.yaml"
    file.write_text(text)
    return [envoy_program(), "-c", str(file), "--use-dynamic-base-id", "--concurrency", "1"]


@pytest.fixture(scope="module", params=[caddy, envoy], ids=["caddy", "envoy"])
def proxy(
    request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    work, port = tmp_path_factory.mktemp("tls"), free_port()
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(work / "ca.pem")
    certificate.private_key_pem.write_to_path(work / "key.pem")
    for part in certificate.cert_chain_pems:
        part.write_to_path(work / "chain.pem", append=True)
    command = request.param(stack, work, port)
    with (work / "log").open("w") as log:
        process = subprocess.Popen(
            ending_with_parent(command),
            env={"HOME": str(work), "PATH": "/usr/bin:/bin"},
            stdout=log,
            stderr=log,
        )

    def listens() -> bool:
        assert process.poll() is None, (work / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens)
    yield Proxy(target=f"localhost:{port}", authority=work / "ca.pem")
    # Asked to end, a proxy waits for connections that clients keep.
    process.kill()
    process.wait()


def test_rest_is_answered(proxy: Proxy, stack: Stack) -> None:
    key = stack.make_key("tls")
    session = requests.Session()
    # What the machine trusts is not asked.
    session.trust_env = False
    session.verify = str(proxy.authority)
    session.headers["Authorization"] = f"Bearer {key.bearer}"
    url = f"https://{proxy.target}"
    body = {"points": [{"name": "booking_attempt"}], "dryRun": True}
    recorded = session.post(f"{url}/v1/custom-metrics", json=body, timeout=20)
    assert recorded.status_code == 200, recorded.text
    assert session.get(f"{url}/v1/custom-metrics/names", timeout=20).ok
    assert session.get(f"{url}/healthz", timeout=20).ok
    assert session.get(f"{url}/ui/", timeout=20).ok
    # A tenant's id may hold a slash: the path reaches vumeter as it was written.
    admin = {"X-Admin-Token": ADMIN_TOKEN}
    live = session.get(f"{url}/api/v1/metrics/live/a%2Fb", headers=admin, timeout=20)
    assert live.json()["active_calls"] == 0


def test_grpc_is_answered_and_streamed(proxy: Proxy, stack: Stack) -> None:
    key = stack.make_key("tls")
    metadata = (("authorization", f"Bearer {key.bearer}"),)
    credentials = grpc.ssl_channel_credentials(proxy.authority.read_bytes())
    with grpc.secure_channel(proxy.target, credentials) as channel:
        stub = CustomMetricsServiceStub(channel)
        batch = pb.StreamPointsRequest(points=[pb.Point(name="booking_attempt")])
        answers = list(stub.StreamPoints(iter([batch, batch]), metadata=metadata, timeout=20))
        assert sum(each.recorded for each in answers) == 2

        def code_without_a_key() -> grpc.StatusCode:
            with pytest.raises(grpc.RpcError) as rejected:
                stub.ListMetrics(pb.ListMetricsRequest(), timeout=20)
            return rejected.value.code()

        # Caddy now and then ends an answer of headers alone in a way that gRPC calls UNKNOWN.
        until(lambda: code_without_a_key() is grpc.StatusCode.UNAUTHENTICATED)


def test_a_watch_is_not_held_back(proxy: Proxy) -> None:
    with requests.get(
        f"https://{proxy.target}/api/v1/metrics/watch",
        headers={"X-Admin-Token": ADMIN_TOKEN},
        verify=str(proxy.authority),
        stream=True,
        timeout=20,
    ) as watch:
        # The stream goes on: only what is sent at once can be read.
        assert next(watch.iter_lines()).startswith(b'data: {"active_calls"')
