"""The pages of the documentation, and the parts that tests look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *sorted(DOCS.rglob("*.md")),
    )
}
"""The text of each page, by its path from the root."""

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
_SPAN = re.compile(r"`[^`\n]+`")
_TARGET = re.compile(r"\]\([^)\s]*\)")
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """The text from one heading to the next one, and that of the sections it lies in."""

    heading: str
    text: str
    with_parents: str


def without_blocks(text: str) -> str:
    """Return a page with its fenced blocks blanked out; lines keep their numbers."""
    return _FENCE.sub(lambda found: re.sub(r"[^\n]", "", found[0]), text)


def prose(text: str) -> str:
    """Return a page without code, code spans and targets of links; lines keep their numbers."""
    return _TARGET.sub("]", _SPAN.sub("", _INDENTED.sub("", without_blocks(text))))


def spans(text: str) -> list[str]:
    """Return the code spans of a page."""
    return [found[1:-1] for found in _SPAN.findall(without_blocks(text))]


def sections(text: str) -> Iterator[Section]:
    """Return the sections of a page, in order."""
    # A `#` in a code block is a comment of a shell.
    headings = list(_HEADING.finditer(without_blocks(text)))
    # Blocks are blanked out, so that places in the two texts differ: count in lines.
    lines = text.splitlines()
    starts = [without_blocks(text).count("\n", 0, found.start()) for found in headings]
    parents: list[tuple[int, str]] = []
    for found, start, end in zip(headings, starts, [*starts[1:], len(lines)], strict=True):
        depth = len(found[1])
        own = "\n".join(lines[start:end])
        parents = [each for each in parents if each[0] < depth]
        yield Section(
            heading=found[2],
            text=own,
            with_parents="\n".join([*(parent for _, parent in parents), own]),
        )
        parents.append((depth, own))


def anchors(text: str) -> set[str]:
    """Return what a link into a page may name behind its `#`."""
    return {
        re.sub(r"[^\w\- ]", "", section.heading.lower()).replace(" ", "-")
        for section in sections(text)
    }
