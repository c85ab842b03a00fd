"""Every target, by its name, and what was found of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.fuzz.targets import asking, exporting, files, recording, stored
from tests.fuzz.targets.target import Target

CORPUS: Final = Path(__file__).resolve().parent.parent / "corpus"
"""Bytes that once made a fault: `TARGET/NAME`."""

TARGETS: Final[Mapping[str, Target]] = {
    **recording.TARGETS,
    **asking.TARGETS,
    **exporting.TARGETS,
    **files.TARGETS,
    **stored.TARGETS,
}


def beginnings(name: str) -> Iterator[bytes]:
    """Yield the seeds of a target, and what once made a fault of it."""
    yield from TARGETS[name].seeds()
    for path in sorted((CORPUS / name).glob("*")):
        yield path.read_bytes()
