"""The certificates of Envoy's port, in files that Envoy watches.

The files are replaced as a whole, and only by a certificate and a key that belong together.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Final, NoReturn

from vumeter_server.runtime.tls import CHECKED_EVERY_SECONDS, ReloadedTls, TlsFiles

_TYPES: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
CERTIFICATE: Final = "certificate"
CLIENT_CA: Final = "client_ca"


class EdgeSecrets:
    """Keeps Envoy's files in step with those of the operator."""

    def __init__(self, files: TlsFiles, directory: Path) -> None:
        """Write the files into `directory`; raises StartError if they cannot be used."""
        self._tls = ReloadedTls(files)
        self._directory = directory
        self._write()

    async def keep(self) -> NoReturn:
        """Look at the operator's files each second."""
        while True:
            await asyncio.sleep(CHECKED_EVERY_SECONDS)
            if await asyncio.to_thread(self._tls.reload):
                await asyncio.to_thread(self._write)

    def transport_socket(self) -> dict[str, Any]:
        """Return what Envoy's listener is configured with."""
        common: dict[str, Any] = {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": [self._secret(CERTIFICATE)],
        }
        has_client_ca = self._tls.contents.client_ca is not None
        if has_client_ca:
            common["validation_context_sds_secret_config"] = self._secret(CLIENT_CA)
        return {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{_TYPES}DownstreamTlsContext",
                "common_tls_context": common,
                "require_client_certificate": has_client_ca,
            },
        }

    def _secret(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "sds_config": {
                "path_config_source": {"path": str(self._path(name))},
                "resource_api_version": "V3",
            },
        }

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"

    def _write(self) -> None:
        contents = self._tls.contents
        if contents.client_ca is not None:
            trusted = {"trusted_ca": {"inline_string": contents.client_ca.decode()}}
            self._replace(CLIENT_CA, {"validation_context": trusted})
        self._replace(
            CERTIFICATE,
            {
                "tls_certificate": {
                    "certificate_chain": {"inline_string": contents.certificate.decode()},
                    "private_key": {"inline_string": contents.key.decode()},
                }
            },
        )

    def _replace(self, name: str, secret: dict[str, Any]) -> None:
        resource = {"@type": f"{_TYPES}Secret", "name": name, **secret}
        written = self._directory / f"{name}.new"
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"resources": [resource]}, file)
        # Envoy watches for files that are moved here.
        written.rename(self._path(name))
