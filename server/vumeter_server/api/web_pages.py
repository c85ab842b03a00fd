"""Pages for browsers: their files, whose names hold their hashes, and their headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from vumeter_server.api.call import Call

PAGE: Final = "index.html"
ASSETS: Final = "assets"
MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
    }
)
ASK_AGAIN: Final = "no-cache"
# A year, the longest that browsers keep anything.
IMMUTABLE: Final = "public, max-age=31536000, immutable"
POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " object-src 'none'"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebFile:
    """A file as it is sent."""

    media_type: str
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class WebPage:
    """A page and all that it loads."""

    page: WebFile
    assets: Mapping[str, WebFile]


def load_page(directory: Path) -> WebPage:
    """Read the files of a page; raises FileNotFoundError."""
    assets = {path.name: load_file(path) for path in sorted((directory / ASSETS).iterdir())}
    return WebPage(page=load_file(directory / PAGE), assets=MappingProxyType(assets))


def load_file(path: Path) -> WebFile:
    """Read a file; raises FileNotFoundError."""
    return WebFile(media_type=MEDIA_TYPES[path.suffix], data=path.read_bytes())


def generated(name: str, installed: Path) -> Path:
    """Return where a generated file or folder lies: in the checkout, else `installed`.

    Raises FileNotFoundError if it is in neither place.
    """
    checkout = Path(__file__).resolve().parents[3] / "generated" / name
    for path in (checkout, installed):
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is missing from this installation")


async def send(file: WebFile, cache_control: str, call: Call, *, policy: str = POLICY) -> HttpBody:
    """Send the headers of a file; return it as the answer."""
    # A transcoder passes initial metadata on as headers.
    await call.context.send_initial_metadata(
        (
            ("cache-control", cache_control),
            ("content-security-policy", policy),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        )
    )
    return HttpBody(content_type=file.media_type, data=file.data)
