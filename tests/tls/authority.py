"""Certificates for tests, in the files that servers and clients are given."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
import trustme

PASSED = datetime(2025, 4, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path

    def copy_to(self, other: Pair) -> None:
        """Put these in the place of others, each as a whole."""
        for source, target in ((self.key, other.key), (self.certificate, other.certificate)):
            new = target.with_suffix(".new")
            new.write_bytes(source.read_bytes())
            new.rename(target)


class Authority:
    """A certificate authority and what it has issued, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.issued: dict[str, Pair] = {}
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str, *identities: str, not_after: datetime | None = None) -> Pair:
        """Issue a certificate, for clients of 127.0.0.1 unless told otherwise."""
        issued = self._ca.issue_cert(*(identities or ("127.0.0.1", "::1")), not_after=not_after)
        pair = Pair(certificate=self._folder / f"{name}.pem", key=self._folder / f"{name}-key.pem")
        pair.certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(pair.key)
        self.issued[name] = pair
        return pair


def context(authority: Authority, shown: Pair | None = None) -> ssl.SSLContext:
    """Trust an authority, and show a certificate."""
    made = ssl.create_default_context(cafile=authority.file)
    if shown is not None:
        made.load_cert_chain(shown.certificate, shown.key)
    return made


def channel(target: str, authority: Authority, shown: Pair | None = None) -> grpc.Channel:
    """Open a channel with a connection of its own."""
    credentials = grpc.ssl_channel_credentials(
        authority.file.read_bytes(),
        shown.key.read_bytes() if shown is not None else None,
        shown.certificate.read_bytes() if shown is not None else None,
    )
    return grpc.secure_channel(target, credentials, [("grpc.use_local_subchannel_pool", 1)])
