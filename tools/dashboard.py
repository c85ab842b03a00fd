"""Build the dashboard: make one script of its modules, name files by their hashes, write the page.

Our own modules become one, in which each is a function that returns what it exports: a browser then
asks for one file instead of thirty. It is minified. Those of `vendor/` stay modules of their own.
Style sheets become one.
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

# Imports of names, or of a default, each on a line.
_IMPORT = re.compile(r"""^(import\b[^"';]*)(["'])([^"']+)\2""", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|(?:async )?function\*?|class) (\w+))", re.MULTILINE)
_HASH_LENGTH = 10


def build_dashboard(target: Path, source: Path = SOURCE) -> None:
    """Write the page to `target`, and below `assets` all that it loads.

    Raises ImportError where there is no tdewolff-minify.
    """
    # It is installed where `generated/` is written.
    import minify  # noqa: PLC0415

    assets = target / "assets"
    assets.mkdir(parents=True)
    order = list(TopologicalSorter(_modules(source)).static_order())
    names: dict[str, str] = {}
    own: list[str] = []
    for path in order:
        text = (source / path).read_text(encoding="utf-8")
        if path.startswith("vendor/"):
            names[path] = _write(assets, Path(path).name, _linked(text, path, names))
        else:
            own.append(_as_function(text, path))
    script = "\n".join([*_vendor_imports(names), *own])
    app = _write(assets, Path(ENTRY).name, minify.string("text/javascript", script))
    styles = "\n".join((source / each).read_text(encoding="utf-8") for each in STYLES)
    for licence in sorted((source / "vendor").glob("LICENSE-*.txt")):
        _write(assets, licence.name, licence.read_text(encoding="utf-8"), hashed=False)
    page = (source / PAGE).read_text(encoding="utf-8")
    filled = page.replace("{{styles}}", _write(assets, "styles.css", styles))
    filled = filled.replace("{{icon}}", _write(assets, ICON, (source / ICON).read_text()))
    filled = filled.replace("{{app}}", app)
    links = [f'<link rel="modulepreload" href="assets/{name}">' for name in names.values()]
    filled = filled.replace("{{modules}}", "\n  ".join(links))
    (target / PAGE).write_text(filled, encoding="utf-8")


def imported(text: str, path: str) -> list[str]:
    """Return the paths of the modules that a module imports, relative to the source."""
    return [_resolved(each[3], path) for each in _IMPORT.finditer(text)]


def _variable(path: str) -> str:
    """Return the variable that holds what a module exports."""
    return "m_" + re.sub(r"\W", "_", path)


def _vendor_imports(names: Mapping[str, str]) -> list[str]:
    return [f'import * as {_variable(path)} from "./{name}";' for path, name in names.items()]


def _as_function(text: str, path: str) -> str:
    """Return a module as a function that is called at once and returns what it exports."""

    def taken(match: re.Match[str]) -> str:
        wanted = match[1].removeprefix("import").removesuffix("from ").strip()
        module = _variable(_resolved(match[3], path))
        if wanted.startswith("{"):
            return f"const {wanted.replace(' as ', ': ')} = {module}"
        return f"const {wanted} = {module}.default"

    body = _EXPORT.sub("", _IMPORT.sub(taken, text))
    exports = ", ".join(match[1] for match in _EXPORT.finditer(text))
    if re.search(r"^(?:im|ex)port\b", body, re.MULTILINE):
        raise SystemExit(f"dashboard/{path}: an import or export that the build does not know")
    return f"const {_variable(path)} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"


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
