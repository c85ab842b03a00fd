"""Build the dashboard: name its files by their hashes, and write the page that loads them.

There is no bundler. The modules of `dashboard/` stay what they are, but for the names that they
import: `preact` and `./chart.js` become `./preact-1a2b3c4d5e.js` and `./chart-6f7a8b9c0d.js`. An
import map would do the same in the browser, but it would have to stand in the page, and the policy
of the page allows no script there. Our own modules are minified; the others come so. Style sheets
become one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "dashboard"
# What modules import by a name alone.
PACKAGES: Mapping[str, str] = {
    "preact": "vendor/preact.js",
    "preact/hooks": "vendor/preact-hooks.js",
    "htm": "vendor/htm.js",
    "uplot": "vendor/uplot.js",
}
ENTRY = "src/app.js"
STYLES = ("vendor/uplot.css", "styles/tokens.css", "styles/page.css", "styles/parts.css")
ICON = "icon.svg"
PAGE = "index.html"

_IMPORT = re.compile(r"""^(import\b[^"';]*)(["'])([^"']+)\2""", re.MULTILINE)
_HASH_LENGTH = 10


def build_dashboard(target: Path, source: Path = SOURCE) -> None:
    """Write the page to `target`, and below `assets` all that it loads.

    Raises ImportError where there is no tdewolff-minify.
    """
    # It is installed where `generated/` is written.
    import minify  # noqa: PLC0415

    assets = target / "assets"
    assets.mkdir(parents=True)
    modules = _modules(source)
    names: dict[str, str] = {}
    for path in TopologicalSorter(modules).static_order():
        text = _linked((source / path).read_text(encoding="utf-8"), path, names)
        if not path.startswith("vendor/"):
            text = minify.string("text/javascript", text)
        names[path] = _write(assets, Path(path).name, text)
    styles = "\n".join((source / each).read_text(encoding="utf-8") for each in STYLES)
    # The entry comes last in the order, and is what the page names itself.
    preloaded = [name for path, name in names.items() if path != ENTRY]
    for licence in sorted((source / "vendor").glob("LICENSE-*.txt")):
        _write(assets, licence.name, licence.read_text(encoding="utf-8"), hashed=False)
    page = (source / PAGE).read_text(encoding="utf-8")
    filled = page.replace("{{styles}}", _write(assets, "styles.css", styles))
    filled = filled.replace("{{icon}}", _write(assets, ICON, (source / ICON).read_text()))
    filled = filled.replace("{{app}}", names[ENTRY])
    links = [f'<link rel="modulepreload" href="assets/{name}">' for name in preloaded]
    filled = filled.replace("{{modules}}", "\n  ".join(links))
    (target / PAGE).write_text(filled, encoding="utf-8")


def imported(text: str, path: str) -> list[str]:
    """Return the paths of the modules that a module imports, relative to the source."""
    return [_resolved(each[3], path) for each in _IMPORT.finditer(text)]


def _modules(source: Path) -> dict[str, list[str]]:
    """Return the modules that the entry needs, each with those that it imports."""
    found: dict[str, list[str]] = {}
    waiting = [ENTRY]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = imported((source / path).read_text(encoding="utf-8"), path)
            waiting += found[path]
    return found


def _linked(text: str, path: str, names: Mapping[str, str]) -> str:
    return _IMPORT.sub(
        lambda match: f"{match[1]}{match[2]}./{names[_resolved(match[3], path)]}{match[2]}", text
    )


def _resolved(name: str, importer: str) -> str:
    if name in PACKAGES:
        return PACKAGES[name]
    if not name.startswith("./"):
        raise SystemExit(f"dashboard/{importer} imports {name}, which is no module of its folder")
    return (Path(importer).parent / name).as_posix()


def _write(directory: Path, name: str, text: str, *, hashed: bool = True) -> str:
    """Write a file under its name with a hash; return the name."""
    if hashed:
        digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
        path = Path(name)
        name = f"{path.stem}-{digest}{path.suffix}"
    (directory / name).write_text(text, encoding="utf-8")
    return name
