"""The OpenAPI document, and the schemas in it as validators."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "generated" / "openapi.json"
DOCUMENT: Final[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
_REGISTRY: Final[Registry[Any]] = Registry().with_resource(
    "urn:openapi", DRAFT202012.create_resource(DOCUMENT)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """An operation of the document."""

    verb: str
    path: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """What to call it in a report."""
        return str(self.content["operationId"])

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the path of a request matches."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path.rstrip("/")) + "/?")

    def response(self, status: int) -> Any:
        """Return the response of a status; there must be one."""
        return resolved(self.content["responses"][str(status)])

    def request_schema(self) -> Any:
        """Return the schema of a JSON body."""
        return self.content["requestBody"]["content"]["application/json"]["schema"]


def operations() -> Iterator[Operation]:
    """Yield every operation."""
    for path, verbs in DOCUMENT["paths"].items():
        for verb, content in verbs.items():
            yield Operation(verb=verb, path=path, content=content)


def operation_at(verb: str, path: str) -> Operation:
    """Return the operation that a request is of."""
    found = [
        each for each in operations() if each.verb == verb.lower() and each.pattern.fullmatch(path)
    ]
    # Of a page there is the path without a slash at its end too.
    (exact,) = [each for each in found if each.path == path] or found
    return exact


def resolved(part: Any) -> Any:
    """Return what a part of the document refers to, or the part itself."""
    while "$ref" in part:
        found: Any = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def problems(schema: Any, value: Any) -> list[str]:
    """Return where a value breaks a schema of the document."""
    found = _validator(_key(schema)).iter_errors(value)
    return [f"{each.json_path}: {each.message}" for each in found]


def _key(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True)


@cache
def _validator(key: str) -> Draft202012Validator:
    return Draft202012Validator(
        json.loads(key.replace('"#/', '"urn:openapi#/')),
        registry=_REGISTRY,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
