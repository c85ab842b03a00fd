"""Bodies of REST requests that came compressed, inflated in one place for every method.

Not by Envoy: in front of its transcoder, its decompressor answers 404 or passes an empty body on.
"""

from __future__ import annotations

import zlib
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from vumeter_server.api.credentials import Metadata
from vumeter_server.errors import BodyTooLarge, InvalidArgument, UnsupportedEncoding
from vumeter_server.runtime.offload import PARSING

MAX_INFLATED_BYTES: Final = 4 * 1024 * 1024
ACCEPTED: Final = "gzip"

_GZIP_WINDOW_BITS: Final = 31
# A body can hold very many members, and each end of one copies what is left of its chunk.
_CHUNK_BYTES: Final = 4 * 1024
# A compressed body of this many bytes is inflated as a batch of one point would be read.
_COMPRESSED_BYTES_PER_POINT: Final = 2
# What is no larger, compressed and inflated, is inflated on the event loop, in some 0.1 ms.
_MAX_COMPRESSED_ON_LOOP: Final = 16 * 1024
_MAX_INFLATED_ON_LOOP: Final = 64 * 1024


async def decode_body(body: HttpBody, metadata: Metadata) -> None:
    """Replace what `body` holds by what was compressed, as its Content-Encoding says.

    Raises InvalidArgument if it is not gzip, BodyTooLarge if it is over 4 MiB when inflated, and
    UnsupportedEncoding for any other coding.
    """
    given = metadata.get("content-encoding", "")
    if not given:
        return
    codings = [each.strip().lower() for each in str(given).split(",")]
    codings = [each for each in codings if each not in ("", "identity")]
    if not codings:
        return
    if codings not in (["gzip"], ["x-gzip"]):
        raise UnsupportedEncoding
    data = body.data
    inflated = _inflate_small(data)
    if inflated is None:
        inflated = await PARSING.run(
            lambda: inflate(data), size=len(data) // _COMPRESSED_BYTES_PER_POINT
        )
    body.data = inflated


def _inflate_small(data: bytes) -> bytes | None:
    """Do as `inflate` for one small member; None of anything else, wrong or not."""
    if len(data) > _MAX_COMPRESSED_ON_LOOP:
        return None
    member = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        inflated = member.decompress(data, _MAX_INFLATED_ON_LOOP)
    except zlib.error:
        return None
    return inflated if member.eof and not member.unused_data else None


def inflate(data: bytes) -> bytes:
    """Return what gzip compressed, of one member or several, at most 4 MiB of it.

    Raises InvalidArgument if `data` is not gzip or is cut short, BodyTooLarge beyond the limit.
    """
    inflated: list[bytes] = []
    room = MAX_INFLATED_BYTES
    member = None
    try:
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            while chunk:
                member = member or zlib.decompressobj(_GZIP_WINDOW_BITS)
                part = member.decompress(chunk, room + 1)
                room -= len(part)
                if room < 0:
                    raise BodyTooLarge
                inflated.append(part)
                chunk = member.unconsumed_tail
                if member.eof:
                    chunk, member = member.unused_data, None
    except zlib.error:
        raise _not_gzip() from None
    if member is not None or not data:
        raise _not_gzip()
    return b"".join(inflated)


def _not_gzip() -> InvalidArgument:
    return InvalidArgument.of("body", "must be gzip", as_sent=True)
