"""How a command encrypts its connection to a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteTls:
    """What is trusted and shown, in PEM: None is what the machine trusts, and nothing."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None


def remote_tls(
    *, tls: bool, ca: Path | None, certificate: Path | None, key: Path | None
) -> RemoteTls | None:
    """Read the files of the options; None without any of the options."""
    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-cert and --tls-key are needed together")
    if not tls and ca is None and certificate is None:
        return None
    return RemoteTls(ca=_read(ca), certificate=_read(certificate), key=_read(key))


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
