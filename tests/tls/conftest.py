"""A product whose ports ask clients for certificates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.stack import Stack, start_stack
from tests.tls.authority import Authority, Pair


@dataclass(frozen=True, kw_only=True, slots=True)
class Secured:
    """A running product, its authority, its files, and a certificate that it takes."""

    stack: Stack
    authority: Authority
    server: Pair
    client: Pair


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("authority") / "theirs")


@pytest.fixture(scope="session")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder: Path = tmp_path_factory.mktemp("secured")
    server, client = authority.issue("server"), authority.issue("client", "clinic@example.com")
    stack = start_stack(
        folder,
        *("--workers", "2"),
        *("--tls-cert", str(server.certificate), "--tls-key", str(server.key)),
        *("--tls-client-ca", str(authority.file)),
        VUMETER_ACCESS_LOG="false",
    )
    yield Secured(stack=stack, authority=authority, server=server, client=client)
    assert stack.stop() == 0
