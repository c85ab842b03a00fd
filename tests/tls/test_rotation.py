"""Certificates are replaced while the product runs, and no request fails."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.stack import Stack, start_stack
from tests.tls.authority import Authority, Pair, channel
from tests.waiting import until

FIRST, SECOND, THIRD = "first", "second", "third"


class Rotating:
    """A product without client certificates, whose certificate is replaced."""

    def __init__(self, stack: Stack, authority: Authority, used: Pair) -> None:
        self.stack = stack
        self.authority = authority
        self.used = used

    def served(self) -> tuple[bytes | None, bytes | None]:
        """Return the certificates that new connections to both ports get."""
        url = urlsplit(self.stack.rest_url)
        host, _, port = self.stack.grpc_target.rpartition(":")
        assert url.hostname is not None
        assert url.port is not None
        return self._shown(url.hostname, url.port), self._shown(host, int(port))

    def are_served(self, name: str) -> bool:
        """Whether both ports have the certificate of that name."""
        expected = ssl.PEM_cert_to_DER_cert(first_of(self.authority.issued[name].certificate))
        return self.served() == (expected, expected)

    def _shown(self, host: str, port: int) -> bytes | None:
        made = ssl.create_default_context(cafile=self.authority.file)
        made.set_alpn_protocols(["h2"])
        with (
            socket.create_connection((host, port), timeout=10) as plain,
            made.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
        ):
            return encrypted.getpeercert(binary_form=True)


def first_of(path: Path) -> str:
    end = "-----END CERTIFICATE-----\n"
    return path.read_text().partition(end)[0] + end


@pytest.fixture(scope="module")
def rotating(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotating]:
    folder = tmp_path_factory.mktemp("rotating")
    used = Pair(certificate=folder / "server.pem", key=folder / "server-key.pem")
    for name in (FIRST, SECOND, THIRD):
        authority.issue(name)
    authority.issued[FIRST].copy_to(used)
    stack = start_stack(
        folder,
        *("--tls-cert", str(used.certificate), "--tls-key", str(used.key)),
        VUMETER_ACCESS_LOG="false",
    )
    yield Rotating(stack, authority, used)
    assert stack.stop() == 0


@contextlib.contextmanager
def asking(ask: Callable[[], None]) -> Iterator[list[int]]:
    """Ask again and again in a thread; give the number of answers; raise what it met at the end."""
    answered, failed, stop = [0], list[Exception](), threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                ask()
                answered[0] += 1
            except Exception as error:
                failed.append(error)
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield answered
    finally:
        stop.set()
        thread.join()
    assert failed == []


def test_requests_go_on_while_the_certificate_is_replaced(rotating: Rotating) -> None:
    trusted = str(rotating.authority.file)
    session = requests.Session()
    health = health_pb2.HealthCheckRequest()

    def ask_rest_again() -> None:
        # A connection of its own each time.
        url = f"{rotating.stack.rest_url}/healthz"
        assert requests.get(url, verify=trusted, timeout=20).status_code == 200

    def ask_rest() -> None:
        url = f"{rotating.stack.rest_url}/healthz"
        assert session.get(url, verify=trusted, timeout=20).status_code == 200

    def ask_grpc_again() -> None:
        with channel(rotating.stack.grpc_target, rotating.authority) as opened:
            health_pb2_grpc.HealthStub(opened).Check(health, timeout=20)

    with channel(rotating.stack.grpc_target, rotating.authority) as opened, session:
        stub = health_pb2_grpc.HealthStub(opened)
        with (
            asking(ask_rest) as old_rest,
            asking(ask_rest_again) as new_rest,
            asking(lambda: stub.Check(health, timeout=20)) as old_grpc,
            asking(ask_grpc_again) as new_grpc,
        ):
            callers = (old_rest, new_rest, old_grpc, new_grpc)

            def replace_by(name: str) -> None:
                rotating.authority.issued[name].copy_to(rotating.used)
                until(lambda: rotating.are_served(name))
                before = [each[0] for each in callers]
                until(lambda: all(n[0] > b + 1 for n, b in zip(callers, before, strict=True)))

            for name in (SECOND, FIRST, SECOND):
                replace_by(name)


def test_half_replaced_files_change_nothing_until_the_other_half_is_there(
    rotating: Rotating,
) -> None:
    before = rotating.served()
    log = rotating.stack.log
    third = rotating.authority.issued[THIRD]
    refused = log.read_text().count("certificates_not_reloaded")
    rotating.used.certificate.write_bytes(third.certificate.read_bytes())

    def is_logged() -> bool:
        # Both the server, when somebody connects, and the one that keeps Envoy's files.
        assert rotating.served() == before
        return log.read_text().count("certificates_not_reloaded") >= refused + 2

    until(is_logged)
    rotating.used.key.write_bytes(third.key.read_bytes())
    until(lambda: rotating.are_served(THIRD))
    assert "PRIVATE" not in log.read_text()


def test_a_client_needs_no_certificate_where_none_is_asked_for(rotating: Rotating) -> None:
    with channel(rotating.stack.grpc_target, rotating.authority) as opened:
        grpc.channel_ready_future(opened).result(timeout=20)


def test_the_keys_in_the_folder_of_envoy_are_for_its_user_alone(rotating: Rotating) -> None:
    folders = [
        Path(argument).parent
        for pid in rotating.stack.children()
        for argument in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if argument.endswith("envoy.json")
    ]
    (folder,) = folders
    assert folder.stat().st_mode & 0o077 == 0
    assert {file.stat().st_mode & 0o077 for file in folder.glob("certificate*")} == {0}
