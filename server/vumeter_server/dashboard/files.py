"""The files of the dashboard, in memory: a page and its assets, whose names hold their hashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

PAGE = "index.html"
ASSETS = "assets"
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebFile:
    """A file as it is sent."""

    media_type: str
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class DashboardFiles:
    """All that the dashboard is made of."""

    page: WebFile
    assets: Mapping[str, WebFile]


def load_dashboard(directory: Path | None = None) -> DashboardFiles:
    """Read the files of the checkout this package is run from, else those of the installed one.

    Raises FileNotFoundError if there are neither.
    """
    found = directory or _directory()
    assets = {path.name: _read(path) for path in sorted((found / ASSETS).iterdir())}
    return DashboardFiles(page=_read(found / PAGE), assets=MappingProxyType(assets))


def _directory() -> Path:
    here = Path(__file__).resolve().parent
    checkout = here.parent.parent.parent / "generated" / "dashboard"
    for directory in (checkout, here / "files"):
        if (directory / PAGE).is_file():
            return directory
    raise FileNotFoundError("the dashboard is missing from this installation")


def _read(path: Path) -> WebFile:
    return WebFile(media_type=MEDIA_TYPES[path.suffix], data=path.read_bytes())
