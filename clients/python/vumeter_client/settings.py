"""Where the server is, who calls, and which agent is measured: arguments or environment."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_File = str | os.PathLike[str] | None

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Endpoint:
    """The REST port of a server, and the key of the caller."""

    host: str
    port: int
    path: str
    """What the paths of the API are appended to; empty or `/...` without a slash at the end."""
    key: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    """How certificates are checked; None without TLS."""


def endpoint(
    url: str | None,
    key: str | None,
    ca_file: _File = None,
    client_cert: _File = None,
    client_key: _File = None,
) -> Endpoint:
    """Return the endpoint of the arguments, or else of the environment.

    The variables are `VUMETER_URL`, `VUMETER_KEY`, `VUMETER_CA_FILE`, `VUMETER_CLIENT_CERT` and
    `VUMETER_CLIENT_KEY`.

    Raises:
        ValueError: There is no key, or one of them cannot be right.
    """
    url = url or os.environ.get("VUMETER_URL") or DEFAULT_URL
    key = key or os.environ.get("VUMETER_KEY")
    if not key:
        raise ValueError("there is no key: pass key=... or set VUMETER_KEY")
    if not key.isascii() or not key.isprintable() or " " in key:
        # Not shown: it is a secret.
        raise ValueError("key must be <key id>.<secret>, in printable ASCII characters")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"url must be http://HOST:PORT or https://HOST:PORT, not {url!r}")
    if parts.username is not None:
        raise ValueError("url must have no user and no password: pass key=... or set VUMETER_KEY")
    secure = parts.scheme == "https"
    return Endpoint(
        host=parts.hostname,
        port=parts.port or (443 if secure else 80),
        path=parts.path.rstrip("/"),
        key=key,
        tls=_tls(
            _file(ca_file, "VUMETER_CA_FILE"),
            _file(client_cert, "VUMETER_CLIENT_CERT"),
            _file(client_key, "VUMETER_CLIENT_KEY"),
        )
        if secure
        else None,
    )


def _file(given: _File, name: str) -> _File:
    return given or os.environ.get(name) or None


def _tls(ca_file: _File, client_cert: _File, client_key: _File) -> ssl.SSLContext:
    """Trust the certificate authorities of a file alone, or those of the system."""
    if (client_cert is None) != (client_key is None):
        raise ValueError("client_cert and client_key are needed together")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"ca_file must be a file of certificates in PEM, not {os.fspath(ca_file or '')!r}"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise ValueError(
                "client_cert and client_key must be a certificate and its key in PEM, the key"
                " without a passphrase"
            ) from error
    return context


def from_environment(given: str | None, name: str) -> str | None:
    """Return the argument, or else the variable; an empty text is the same as none."""
    return given or os.environ.get(name) or None
