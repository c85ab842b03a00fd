"""UUIDs as they are stored: 16 bytes."""

from __future__ import annotations


def id_to_bytes(text: str) -> bytes:
    """Return a UUID as it is stored."""
    return bytes.fromhex(text.replace("-", ""))


def id_to_text(stored: bytes) -> str:
    """Return a stored UUID as 8-4-4-4-12, in lower case."""
    digits = stored.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
