"""The certificates of the gRPC port, looked at again for each new connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import grpc

from vumeter_server.runtime.tls import ReloadedTls, TlsContents, TlsFiles


class DynamicCredentials:
    """Credentials of a port; connections that are open keep the certificate that they began with.

    gRPC speaks TLS 1.2 and 1.3.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Read the files; raises StartError if they cannot be used."""
        self._tls = ReloadedTls(files)
        # New connections are made on threads of gRPC.
        self._lock = threading.Lock()
        self.credentials = grpc.dynamic_ssl_server_credentials(
            _configuration(self._tls.contents),
            # None says that nothing changed.
            cast(Callable[[], grpc.ServerCertificateConfiguration], self._reloaded),
            require_client_authentication=files.client_ca is not None,
        )

    def _reloaded(self) -> grpc.ServerCertificateConfiguration | None:
        with self._lock:
            return _configuration(self._tls.contents) if self._tls.reload() else None


def _configuration(contents: TlsContents) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(contents.key, contents.certificate)], root_certificates=contents.client_ca
    )
