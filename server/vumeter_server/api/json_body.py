"""JSON bodies: of recordings, read strictly, and of answers."""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from google.api.httpbody_pb2 import HttpBody

from vumeter_server.errors import InvalidArgument

T = TypeVar("T")

MEDIA_TYPE = "application/json"
MAX_NESTING: Final = 200
"""In so many arrays and objects a value may lie: what Python itself allows differs by version."""

_JSON_NAMES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
}
_AT = re.compile(r" - at `(?:key in )?\$\.?(?P<path>.*)`$")
_EXPECTED = re.compile(r"^Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_FIELD = re.compile(r"^Object (?P<what>contains unknown|missing required) field `(?P<name>.*?)`")


def decode(body: HttpBody, body_type: type[T]) -> T:
    """Read a recording's body as `body_type`, built of msgspec structs.

    The structs forbid unknown fields and mark absent ones with msgspec.UNSET, so that a body can be
    written again with just the fields it had. Raises InvalidArgument that names the field, such as
    `points[3].value`: for an unknown or repeated field, a wrong type, a null, an empty or
    unreadable body, and for a content type other than application/json.
    """
    media_type = body.content_type.partition(";")[0].strip().lower()
    if media_type not in ("", MEDIA_TYPE):
        raise _rejected("Content-Type", f"must be {MEDIA_TYPE}")
    if not body.data.strip():
        raise _rejected("body", "must be a JSON object, not empty")
    if _is_nested_deeper(body.data, MAX_NESTING):
        raise _rejected("body", "must not be nested so deeply")
    try:
        decoded: T = _decoder(body_type).decode(body.data)
        repeated = _has_more_keys(body.data, msgspec.json.encode(decoded))
    except msgspec.ValidationError as error:
        raise _rejection(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _malformed(body.data) from None
    if repeated:
        raise _rejected(_repeated_field(body.data), "must not be repeated")
    return decoded


def http_body(data: bytes) -> HttpBody:
    """Return JSON as the body of an answer: with a newline at the end, as terminals want it."""
    return HttpBody(content_type=MEDIA_TYPE, data=data + b"\n")


def _rejected(field: str, problem: str) -> InvalidArgument:
    return InvalidArgument.of(field, problem, as_sent=True)


def _malformed(data: bytes) -> InvalidArgument:
    """Reject what is no JSON; NaN and Infinity, which some writers take for JSON, by name."""
    try:
        # Not of bytes: those may be UTF-16, in which nobody has looked how deep they are nested.
        found = json.loads(data.decode(), parse_constant=lambda _: _MARK)
    except ValueError:
        found = None
    field = _find_marked(found, "")
    if field is None:
        return _rejected("body", "must be well-formed JSON in UTF-8")
    return _rejected(field or "body", "must be a finite number")


_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def _decoder(body_type: type) -> msgspec.json.Decoder[Any]:
    if body_type not in _decoders:
        _decoders[body_type] = msgspec.json.Decoder(body_type)
    return _decoders[body_type]


def _has_more_keys(data: bytes, written: bytes) -> bool:
    """Whether well-formed JSON has more keys than `written`, which has the same but for repeats."""
    if b"\\" not in data:
        # Right behind a quote, a colon ends a key or begins a text, of which both have as many; and
        # keys that end otherwise there are none.
        before_colons = _before_colons(data)
        if not np.isin(before_colons, _WHITESPACE).any():
            return _count_quotes(before_colons) != _count_quotes(_before_colons(written))
    return _count_keys(data) != _count_keys(written)


_WHITESPACE = np.frombuffer(b" \t\n\r", np.uint8)


def _before_colons(data: bytes) -> npt.NDArray[np.uint8]:
    characters = np.frombuffer(data, np.uint8)
    return characters[np.flatnonzero(characters == ord(":")) - 1]


def _count_quotes(characters: npt.NDArray[np.uint8]) -> int:
    return int(np.count_nonzero(characters == ord('"')))


def _count_keys(data: bytes) -> int:
    """Count the keys of all objects of well-formed JSON: its colons outside of strings."""
    return _outside_strings(data).count(b":")


def _outside_strings(data: bytes) -> bytes:
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(data.split(b'"')[::2])


def _is_nested_deeper(data: bytes, levels: int) -> bool:
    """Whether JSON, well-formed or not, has a place in more than so many arrays and objects."""
    # Brackets in strings count at first: few bodies have so many that it matters.
    return _nesting(data) > levels and _nesting(_outside_strings(data)) > levels


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _nesting(data: bytes) -> int:
    brackets = np.frombuffer(data.translate(None, _NO_BRACKETS), np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    return int(np.cumsum(steps).max(initial=0))


def _rejection(text: str) -> InvalidArgument:
    at = _AT.search(text)
    path, of_map, _ = at["path"].partition("[...]") if at else ("", "", "")
    if field := _FIELD.match(text):
        name = f"{path}.{field['name']}" if path else field["name"]
        problem = "is not a known field" if field["what"] == "contains unknown" else "must be given"
        return _rejected(name, problem)
    path = path or "body"
    if expected := _EXPECTED.match(text):
        if expected["got"] == "null":
            return _rejected(path, "must not be null")
        kinds = [kind.strip() for kind in expected["expected"].split("|")]
        # Where null is the same as absent, no message asks for it.
        names = [_JSON_NAMES.get(kind, kind) for kind in kinds if kind != "null"]
        problem = " or ".join(names)
        return _rejected(path, f"must be {problem}{' for each key' if of_map else ''}")
    if text.startswith("Number out of range"):
        return _rejected(path, "must be a finite number")
    return _rejected(path, "has a value that is not allowed")


_MARK = object()


def _repeated_field(data: bytes) -> str:
    """Return the path of the first field that stands twice in its object."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in items:
            if key in seen:
                seen[key] = _MARK
            else:
                seen[key] = value
        return seen

    return _find_marked(json.loads(data, object_pairs_hook=pairs), "") or "body"


def _find_marked(value: Any, path: str) -> str | None:
    if value is _MARK:
        return path
    if isinstance(value, dict):
        children = [(f"{path}.{key}" if path else key, each) for key, each in value.items()]
    elif isinstance(value, list):
        children = [(f"{path}[{index}]", each) for index, each in enumerate(value)]
    else:
        return None
    for child_path, child in children:
        if found := _find_marked(child, child_path):
            return found
    return None
