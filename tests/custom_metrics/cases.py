"""Cases as data: what is recorded, what is asked, what must be answered.

A file under `cases/` is one case, which needs an organization of its own:

    title   what it shows
    load    points to record first, in the form of the REST body. Beside its attributes a point may
            have "times" (record it that often) or "values" (record it once with each value)
    asks    requests, made in this order, each with
        title       what is special about it, if anything
        get, query  a documented path (already escaped) and its parameters (not yet escaped), or
        post        a path, with "body" (JSON) or "body_text" (sent as it is)
        answer      the whole JSON of a 200, or
        refused     of any other answer the "status", and where the contract or this product fixes
                    them the "message" and the "fields" of its violations, in order
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

CASES: Final = Path(__file__).parent / "cases"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """How a request is turned down; None is what the case leaves open."""

    status: int
    message: str | None = None
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One request, and either its answer or its refusal."""

    title: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    answer: Any = None
    refused: Refusal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Points to record, and requests to make then."""

    name: str
    title: str
    load: tuple[Mapping[str, Any], ...]
    asks: tuple[Ask, ...]


def load_cases() -> list[Case]:
    """Read every case, in order of file names."""
    return [read_case(path) for path in sorted(CASES.glob("*.json"))]


def read_case(path: Path) -> Case:
    """Read one case; an unknown key in it is an error."""
    found = json.loads(path.read_text())
    case = Case(
        name=path.stem,
        title=found.pop("title"),
        load=tuple(point for each in found.pop("load") for point in _repeated(each)),
        asks=tuple(_read_ask(each) for each in found.pop("asks")),
    )
    assert not found, f"{path.name}: unknown keys {sorted(found)}"
    return case


def _repeated(point: dict[str, Any]) -> Iterator[dict[str, Any]]:
    times = point.pop("times", 1)
    values = point.pop("values", None)
    for _ in range(times):
        yield from ({**point, "value": value} for value in values) if values else (point,)


def _read_ask(found: dict[str, Any]) -> Ask:
    title = found.pop("title", "")
    query = found.pop("query", {})
    if "get" in found:
        method, path, body = "GET", found.pop("get"), None
    else:
        method, path = "POST", found.pop("post")
        body = found.pop("body_text") if "body_text" in found else json.dumps(found.pop("body"))
    refused = found.pop("refused", None)
    if refused is not None:
        fields = refused.get("fields")
        refused = Refusal(
            status=refused["status"],
            message=refused.get("message"),
            fields=None if fields is None else tuple(fields),
        )
    ask = Ask(
        title=title,
        method=method,
        path=path,
        query=query,
        body=body,
        answer=found.pop("answer", None),
        refused=refused,
    )
    assert not found, f"{path}: unknown keys {sorted(found)}"
    assert (ask.answer is None) != (ask.refused is None), f"{path}: an answer or a refusal"
    return ask


def canonical(answer: Any) -> str:
    """Return JSON as text, since == takes 1 and 1.0 for equal."""
    return json.dumps(answer, sort_keys=True)
