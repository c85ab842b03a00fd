"""https with a certificate authority of one's own, through a proxy that ends TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from tests.clients.agents import outcome
from tests.clients.conftest import TEN_YEARS, Organization
from tests.clients.faults import Network, network_to
from tests.waiting import until

from vumeter_client import Client, ConnectionFailed, Metric, Recorder


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """An authority, and the file with its certificate."""
    made = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(path)
    return made, path


@pytest.fixture
def proxy(authority: tuple[trustme.CA, Path], organization: Organization) -> Iterator[Network]:
    made, _ = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    with network_to(organization.url, tls=context) as network:
        yield network


def total(client: Client) -> float | None:
    asked = {"turns": Metric("turns", "sum")}
    (row,) = client.query(TEN_YEARS["startDate"], TEN_YEARS["endDate"], asked)
    return row.values["turns"]


def test_an_authority_of_ones_own_is_trusted(
    authority: tuple[trustme.CA, Path],
    proxy: Network,
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, path = authority
    with Recorder(proxy.url, organization.bearer, ca_file=path) as recorder:
        for _ in range(2):
            recorder.count("turns")
            assert recorder.flush(30)
        assert outcome(recorder) == (2, 2, 0, 0, 0)
        assert recorder.stats.last_failure is None
    monkeypatch.setenv("VUMETER_CA_FILE", str(path))
    assert total(Client(proxy.url, organization.bearer)) == 2
    assert all(each.keys() <= {"idempotencyKey", "points"} for each in proxy.seen[:2])


def test_an_unknown_authority_is_not_trusted(proxy: Network, organization: Organization) -> None:
    with pytest.raises(ConnectionFailed, match="certificate verify failed"):
        total(Client(proxy.url, organization.bearer))
    recorder = Recorder(proxy.url, organization.bearer)
    recorder.count("turns")
    until(lambda: recorder.stats.last_failure is not None)
    assert "certificate verify failed" in str(recorder.stats.last_failure)
    assert outcome(recorder) == (1, 0, 0, 0, 1)
    recorder.close(0.1)
    # Nobody but the one who is trusted gets the key.
    assert proxy.seen == []


def test_a_certificate_of_another_host_is_not_trusted(
    authority: tuple[trustme.CA, Path], organization: Organization
) -> None:
    made, path = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("metrics.example.com").configure_cert(context)
    with (
        network_to(organization.url, tls=context) as network,
        pytest.raises(ConnectionFailed, match="certificate verify failed"),
    ):
        total(Client(network.url, organization.bearer, ca_file=path))


def test_a_file_without_certificates_is_found_at_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.touch()
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match="ca_file must be a file of certificates in PEM"):
            Client("https://127.0.0.1", "a.b", ca_file=path)
