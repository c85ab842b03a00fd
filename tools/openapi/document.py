"""Put the OpenAPI document together: `openapi/*.json`, the protos, the roles and the examples."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tools.openapi.examples import load_examples
from tools.openapi.operations import Operations, lower_camel
from tools.openapi.protos import Protos

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SOURCE: Final = ROOT / "openapi"
VERSION: Final = "3.1.1"
# Who may call what is said once, in the server.
sys.path.append(str(ROOT / "server"))


def build_document(descriptors: bytes) -> str:
    """Return the document; `descriptors` is a descriptor set with comments."""
    from vumeter_server.access.roles import METHODS  # noqa: PLC0415

    base = _read("document.json")
    sources = {path.name: _read(path.name) for path in sorted(SOURCE.glob("*.json"))}
    protos = Protos(descriptors)
    schemas: dict[str, Any] = {}
    for source in sources.values():
        for name, schema in source.get("schemas", {}).items():
            if name in schemas:
                raise SystemExit(f"openapi/: two schemas have the name {name}")
            schemas[name] = schema
    bindings = list(protos.bindings())
    names = Counter(each.method.name for each in {b.method.full_name: b for b in bindings}.values())
    operations = Operations(
        protos=protos,
        access=METHODS,
        errors=base["errors"],
        schemas=schemas,
        examples=load_examples(),
    )
    paths: dict[str, Any] = dict(base["paths"])
    for binding in bindings:
        service = binding.method.containing_service.full_name
        (tag,) = [each for each in base["tags"] if each.get("service") == service]
        prefix = "" if names[binding.method.name] == 1 else service.split(".")[1]
        name = lower_camel(f"{prefix}{'_' if prefix else ''}{binding.method.name}")
        path = base["served_at"].get(binding.path, binding.path)
        used = [each.get(binding.verb, {}).get("operationId") for each in paths.values()]
        if name in used:
            # A second path of one method.
            name += re.split(r"\W", path)[1].capitalize()
        operation = operations.build(
            binding, sources[tag["schemas"]], path=path, name=name, tag=tag
        )
        paths.setdefault(path, {})[binding.verb] = operation
    document = {
        "openapi": VERSION,
        "info": {**base["info"], "version": _product_version()},
        "servers": base["servers"],
        "tags": [_tag(each, protos) for each in base["tags"]],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": base["securitySchemes"],
            "headers": base["headers"],
            "responses": operations.responses(),
            "schemas": dict(sorted(schemas.items())),
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _read(name: str) -> Any:
    return json.loads((SOURCE / name).read_text(encoding="utf-8"))


def _product_version() -> str:
    found = re.search(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE
    )
    assert found is not None
    return found[1]


def _tag(tag: dict[str, Any], protos: Protos) -> dict[str, str]:
    return {
        "name": tag["name"],
        "description": tag.get("description") or protos.comment(tag["service"]),
    }
