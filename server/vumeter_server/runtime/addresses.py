"""Addresses, looked at before something is started on them."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from vumeter_server.runtime.start_error import StartError

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not listened on


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a server listens: an IP address and a port, 0 for one that the system chooses."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def from_here(self) -> Address:
        """The address that this machine reaches the server by."""
        return Address(host=_LOOPBACK.get(self.host, self.host), port=self.port)


def ip_of(host: str) -> str:
    """Return the IP address that `host` means.

    Raises StartError if it means none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise StartError(f"the host {host} is unknown") from None
    return str(found[0][4][0])


def check_free(address: Address, what: str) -> None:
    """Make sure that `address` can be listened on; port 0 always can.

    Raises StartError, which names `what` the address is for, if it cannot.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections that were closed a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
            probe.listen()
        except OSError as error:
            reason = (error.strerror or "it is taken").lower()
            raise StartError(f"{what} cannot listen on {address}: {reason}") from None
