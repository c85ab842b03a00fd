"""The certificate files of the server: read, checked, and read again when they change."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from vumeter_server.runtime.addresses import ip_of
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError

CHECKED_EVERY_SECONDS: Final = 1.0
_ATTEMPTS: Final = 3

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsFiles:
    """Paths to PEM files.

    Attributes:
        certificate: that of the server, followed by those between it and its authority.
        key: the key of the certificate, without a passphrase.
        client_ca: the authorities whose certificates clients have to show; None if they need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def read(self) -> TlsContents:
        """Read the files and check that they belong together.

        Raises StartError, one line that names the file, if they do not.
        """
        for _ in range(_ATTEMPTS):
            before = self._marks()
            contents = self._contents()
            problem = self._problem()
            if self._marks() == before:
                break
        if problem is not None:
            raise StartError(problem)
        return contents

    def _contents(self) -> TlsContents:
        try:
            return TlsContents(
                certificate=self.certificate.read_bytes(),
                key=self.key.read_bytes(),
                client_ca=self.client_ca.read_bytes() if self.client_ca is not None else None,
            )
        except OSError as error:
            raise StartError(f"{error.filename} cannot be read: {error.strerror}") from None

    def _problem(self) -> str | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
        except _EncryptedKey:
            return f"{self.key} has a passphrase: give a key without one"
        except (OSError, ValueError):
            return f"{self.certificate} and {self.key} are not a certificate and its key in PEM"
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ValueError):
                return f"{self.client_ca} is not a file of certificates in PEM"
        return None

    def _marks(self) -> tuple[object, ...]:
        """Return what changes whenever a file does."""
        paths = (self.certificate, self.key, self.client_ca)
        return tuple(_mark(path) for path in paths if path is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsContents:
    """What the files held at one time, in PEM."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


class ReloadedTls:
    """What the files hold; when they change to something unusable, what they held before.

    It belongs to one thread at a time.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Read the files; raises StartError if they cannot be used."""
        self._files = files
        self._marks = files._marks()
        self.contents = files.read()

    def reload(self) -> bool:
        """Read the files again if they changed; return whether there is something new.

        Files that do not belong together, as while one of them is replaced and not yet the other,
        are logged once and looked at again at the next change.
        """
        marks = self._files._marks()
        if marks == self._marks:
            return False
        self._marks = marks
        try:
            contents = self._files.read()
        except StartError as error:
            _log.error("certificates_not_reloaded", problem=str(error))
            return False
        if contents == self.contents:
            return False
        self.contents = contents
        _log.info("certificates_reloaded", certificate=str(self._files.certificate))
        return True


def tls_files(settings: Settings) -> TlsFiles | None:
    """Return the files that the settings name, None without TLS.

    Raises StartError if some of them are missing, or if nothing is encrypted on an address that
    other machines reach.
    """
    certificate, key, client_ca = settings.tls_cert, settings.tls_key, settings.tls_client_ca
    if certificate is not None and key is not None:
        return TlsFiles(certificate=certificate, key=key, client_ca=client_ca)
    if certificate is not None or key is not None:
        raise StartError("--tls-cert and --tls-key are needed together")
    if client_ca is not None:
        raise StartError("--tls-client-ca needs --tls-cert and --tls-key")
    if not settings.insecure and not ipaddress.ip_address(ip_of(settings.host)).is_loopback:
        raise StartError(
            f"--host {settings.host} can be reached from other machines, and keys and data would go"
            " there unencrypted: give --tls-cert and --tls-key, or --insecure if something in front"
            " encrypts"
        )
    return None


def _mark(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _EncryptedKey(Exception):
    pass


def _no_passphrase() -> str:
    raise _EncryptedKey
