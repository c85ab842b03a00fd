"""What comes of a connection that speaks TLS, and begins HTTP/2."""

from __future__ import annotations

import socket
import ssl


def answer(address: tuple[str, int], made: ssl.SSLContext) -> bytes:
    """Shake hands, begin HTTP/2, and return what comes back first."""
    made.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(address, timeout=10) as plain,
        made.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        encrypted.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        return encrypted.recv(9)


def is_served(address: tuple[str, int], made: ssl.SSLContext) -> bool:
    """Whether the other side begins HTTP/2, and does not end the connection."""
    try:
        # The type of a frame: settings.
        return answer(address, made)[3:4] == b"\x04"
    except (ssl.SSLError, ConnectionError):
        return False
