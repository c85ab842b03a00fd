"""Comments, docstrings and help use the words of the glossary, as the pages do."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.documentation.pages import ROOT
from tests.documentation.words import WORDS, unwanted

FOLDERS = ("server", "clients", "examples", "tools", "bench", "protos")


def files_of(folder: str) -> list[Path]:
    return [
        path
        for path in sorted((ROOT / folder).rglob("*"))
        # Migrations speak of tables by the names that these have.
        if path.suffix in (".py", ".proto") and "migrations" not in path.parts
    ]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Return the comments and docstrings of a file, each with the line at which it begins."""
    source = path.read_text()
    if path.suffix == ".proto":
        for number, line in enumerate(source.splitlines(), 1):
            _, found, comment = line.partition("//")
            if found:
                yield number, comment
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        match node:
            # A docstring, or one behind an attribute.
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


def found_in(path: Path) -> list[str]:
    return [
        f"{start + line - 1}: {word!r}, say {instead!r}"
        for start, text in texts(path)
        # Code stays as it is spelled.
        for line, word, instead in unwanted(re.sub(r"`[^`\n]*`", "", text))
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_words_are_those_of_the_trade(folder: str) -> None:
    files = files_of(folder)
    assert files
    assert [f"{path.relative_to(ROOT)}:{found}" for path in files for found in found_in(path)] == []


def test_the_words_are_found_in_comments_and_docstrings_alone(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Points\nare sealed."""\n\nsealed = "sealed"  # sealed `sealed`\nTOLD = 1\n"""Told."""\n'
    )
    assert [each.partition(",")[0] for each in found_in(module)] == [
        "4: 'sealed'",
        "2: 'sealed'",
        "6: 'Told'",
    ]
    proto = tmp_path / "some.proto"
    proto.write_text("message Face {}  // The face.\n")
    assert found_in(proto) == ["1: 'face', say 'API'"]
    assert WORDS["faces?"] == "API"
