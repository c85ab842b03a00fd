"""Build the page under /docs: name its files by their hashes, fill in their names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "openapi" / "page"
PAGE = "index.html"
_HASH_LENGTH = 10


def build_docs_page(target: Path, source: Path = SOURCE) -> None:
    """Write the page to `target`, and below `assets` all that it loads."""
    assets = target / "assets"
    assets.mkdir(parents=True)
    page = (source / PAGE).read_text(encoding="utf-8")

    def linked(match: re.Match[str]) -> str:
        path = source / match[1]
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()[:_HASH_LENGTH]
        name = f"{path.stem}-{digest}{path.suffix}"
        (assets / name).write_bytes(data)
        return f"assets/{name}"

    (target / PAGE).write_text(re.sub(r"\{\{([\w./-]+)\}\}", linked, page), encoding="utf-8")
    for licence in sorted((source / "vendor").glob("LICENSE-*.txt")):
        (assets / licence.name).write_bytes(licence.read_bytes())
