"""The examples that tests hold the product to, for the operations that they are of."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

EXAMPLES: Final = Path(__file__).resolve().parent.parent.parent / "tests" / "examples"
OK: Final = 200

# What differs from run to run: something that may stand there.
_STAND_INS: Final = {
    "bytes": 9340,
    "keyId": "vmk_5fb1c9d2",
    "createTime": "2025-03-01T09:00:00Z",
    "lastUseTime": "2025-04-01T10:00:00Z",
    "expiresAt": None,
    "organization": "northwind",
}
_PLACEHOLDERS: Final = ("<any>", "<maybe>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A request of a documented path, and its answer."""

    name: str
    what: str
    verb: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    answer: Any

    def as_object(self, value: Any) -> dict[str, Any]:
        """Return an Example Object with a part of this one."""
        return {"summary": self.what, "value": value}


def load_examples() -> list[Example]:
    """Read the examples of the REST paths."""
    found = []
    for path in sorted(EXAMPLES.glob("*/*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        ask = content["ask"]
        found.append(
            Example(
                name=path.stem,
                what=content["what"],
                verb=ask["method"].lower(),
                path=ask["path"],
                query=ask.get("query") or {},
                body=ask.get("body"),
                status=content["status"],
                answer=_filled(content["answer"]),
            )
        )
    return found


def examples_of(
    examples: Sequence[Example], verb: str, path: str
) -> list[tuple[Example, dict[str, str]]]:
    """Return the examples of an operation, each with its parameters in path and query."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path.rstrip("/")) + "/?")
    found = []
    for example in examples:
        match = pattern.fullmatch(example.path)
        if match and example.verb == verb:
            in_path = {name: unquote(value) for name, value in match.groupdict().items()}
            found.append((example, {**in_path, **example.query}))
    return found


def _filled(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {each: _filled(held, each) for each, held in value.items()}
    if isinstance(value, list):
        return [_filled(held, key) for held in value]
    return _STAND_INS[key] if value in _PLACEHOLDERS else value
