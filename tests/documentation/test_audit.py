"""The table of what the audit notes is that of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.documentation.pages import DOCS, sections

import vumeter_server

SERVER = Path(vumeter_server.__file__).parent
ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
NOTING = {"append", "note", "noted", "_note"}
"""What adds entries to the audit is called so, in each store and in the core."""


def texts_of(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def places(module: ast.Module) -> Iterator[ast.AST]:
    """Return where a module can name an action: calls that note, and names and lists of actions."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in NOTING:
                yield from node.args
                yield from (each.value for each in node.keywords if each.arg == "action")
            case ast.Assign(targets=[ast.Name(id=name)]) if "action" in name.lower():
                yield node.value
            case ast.ClassDef(name=name) if name.endswith("Action"):
                yield node


def actions_of_the_code() -> set[str]:
    return {
        text
        for path in SERVER.rglob("*.py")
        for place in places(ast.parse(path.read_text()))
        for text in texts_of(place)
        if ACTION.fullmatch(text)
    }


def rows() -> dict[str, str]:
    """Return who does each documented action."""
    (section,) = (
        each
        for each in sections((DOCS / "credentials.md").read_text())
        if each.heading == "`vumeter audit list`"
    )
    found = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|[^|]*\|$", section.text, re.MULTILINE)
    return {
        action: by for cell, by in found for action in re.findall(r"`([a-z_]+\.[a-z_]+)`", cell)
    }


def test_the_table_lists_the_actions_of_the_code_and_no_others() -> None:
    assert rows().keys() == actions_of_the_code()


@pytest.mark.parametrize("action", sorted(rows()))
def test_every_action_has_somebody_who_does_it(action: str) -> None:
    doers = set(re.split(r", | or ", rows()[action]))
    assert doers <= {"key", "user", "server", "admin token"}
