"""HTTP/2 by hand: frames that no library sends."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
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


INITIAL_WINDOW_SIZE: Final = 0x4
FRAME_HEADER_BYTES: Final = 9


@contextlib.contextmanager
def connection(target: str, window: int | None = None) -> Iterator[socket.socket]:
    """Open a connection on which requests may be sent.

    `window` is how many bytes of data the peer may send on each stream, 65,535 unless it is given.
    """
    settings = b"" if window is None else struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as opened:
        opened.sendall(
            PREFACE + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, ACKNOWLEDGED, 0, b"")
        )
        yield opened


class Stalled:
    """Takes what comes over a connection, and never lets more come; answers pings.

    So the peer sees a client that lives and that does not read.

    Attributes:
        data_bytes: how much data came, by stream.
        answered: the streams that were begun to be answered.
        ended: the streams that were ended, or -1 for all of them.
    """

    def __init__(self, opened: socket.socket) -> None:
        self.data_bytes: Counter[int] = Counter()
        self.answered: set[int] = set()
        self.ended: set[int] = set()
        self._opened = opened
        # It waits for as long as nothing comes.
        opened.settimeout(None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._opened.makefile("rb") as file:
            while header := file.read(FRAME_HEADER_BYTES):
                length = int.from_bytes(header[:3])
                kind, flags, stream = struct.unpack(">BBI", header[3:])
                payload = file.read(length)
                if kind == DATA:
                    self.data_bytes[stream] += length
                elif kind == HEADERS:
                    self.answered.add(stream)
                elif kind == PING and not flags & ACKNOWLEDGED:
                    self._opened.sendall(frame(PING, ACKNOWLEDGED, 0, payload))
                if kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
                    self.ended.add(stream)
        self.ended.add(-1)


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
