"""The authority of clients is replaced while the product runs, on both ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.stack import Stack, start_stack
from tests.tls.authority import Authority, context
from tests.tls.handshakes import is_served
from tests.waiting import until


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path) -> Path:
    """The file of the authorities whose clients are let in."""
    file = tmp_path / "clients.pem"
    file.write_bytes(authority.file.read_bytes())
    return file


@pytest.fixture
def stack(authority: Authority, trusted: Path, tmp_path: Path) -> Iterator[Stack]:
    server = authority.issue("server-of-other-clients")
    started = start_stack(
        tmp_path,
        *("--tls-cert", str(server.certificate), "--tls-key", str(server.key)),
        *("--tls-client-ca", str(trusted)),
        VUMETER_ACCESS_LOG="false",
    )
    yield started
    assert started.stop() == 0


@pytest.mark.parametrize("port", ["Envoy", "server"])
def test_clients_of_the_new_authority_alone_are_served_once_its_file_is_there(
    stack: Stack, authority: Authority, stranger: Authority, trusted: Path, port: str
) -> None:
    url = urlsplit(stack.rest_url if port == "Envoy" else f"//{stack.grpc_target}")
    assert url.hostname is not None
    assert url.port is not None
    address = url.hostname, url.port
    ours, theirs = (
        each.issue("client-now", "clinic@example.com") for each in (authority, stranger)
    )

    def served() -> tuple[bool, bool]:
        """Return whether our client is served, and theirs."""
        return (
            is_served(address, context(authority, ours)),
            is_served(address, context(authority, theirs)),
        )

    def replace_by(file: Path) -> None:
        new = trusted.with_suffix(".new")
        new.write_bytes(file.read_bytes())
        new.rename(trusted)

    assert served() == (True, False)
    replace_by(stranger.file)
    until(lambda: served() == (False, True))
    replace_by(authority.file)
    until(lambda: served() == (True, False))
