"""JSON bodies: read as json.loads reads them, and refused by name wherever something is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from google.api.httpbody_pb2 import HttpBody
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.api import json_body
from vumeter_server.api.json_body import MAX_NESTING
from vumeter_server.errors import InvalidArgument, Violation

UNSET = msgspec.UNSET
Path = tuple[str | int, ...]


class Turn(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A part of a body."""

    said: str
    latency_ms: float | msgspec.UnsetType = UNSET
    words: int | msgspec.UnsetType = UNSET
    is_final: bool | msgspec.UnsetType = UNSET
    tags: dict[str, str] | msgspec.UnsetType = UNSET
    reported: dict[str, Any] | msgspec.UnsetType = UNSET


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A body like those of recordings."""

    turns: list[Turn]
    request_key: str | msgspec.UnsetType = UNSET


# Characters that a careless reader of JSON would stumble on, and any others.
texts = st.text(
    st.sampled_from('":,{}[]\\/\n\té界😀') | st.characters(exclude_categories=["Cs"]), max_size=12
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
free = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
turns = st.fixed_dictionaries(
    {"said": texts},
    optional={
        "latencyMs": numbers,
        "words": st.integers(-(2**53), 2**53),
        "isFinal": st.booleans(),
        "tags": st.dictionaries(texts, texts, max_size=3),
        "reported": st.dictionaries(texts, free, max_size=2),
    },
)
bodies = st.fixed_dictionaries(
    {"turns": st.lists(turns, min_size=1, max_size=3)}, optional={"requestKey": texts}
)
layouts = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 1]),
        "sort_keys": st.booleans(),
    }
)


def decode(text: str | bytes, content_type: str = "application/json") -> Body:
    data = text.encode() if isinstance(text, str) else text
    return json_body.decode(HttpBody(content_type=content_type, data=data), Body)


def refusal(text: str | bytes, content_type: str = "application/json") -> Violation:
    with pytest.raises(InvalidArgument) as caught:
        decode(text, content_type)
    return caught.value.respelled({"request_key": "requestKey"}).violations[0]


def field_of(path: Path) -> str:
    """Write a path as messages name it."""
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return Violation(field=text.removeprefix("."), problem="").field


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Return the place of every value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        yield (*path, key)
        if isinstance(each, dict | list):
            yield from places(each, (*path, key))


def with_value(value: Any, path: Path, new: Any) -> Any:
    """Return a copy with another value at one place."""
    copied = json.loads(json.dumps(value))
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return copied


def repeating(value: Any, at: Path) -> str:
    """Write JSON in which one key stands twice in its object."""
    if isinstance(value, dict):
        fields = []
        for key, each in value.items():
            text = f"{json.dumps(key)}: {repeating(each, at[1:] if at[:1] == (key,) else ())}"
            fields += [text] * (2 if at == (key,) else 1)
        return "{" + ", ".join(fields) + "}"
    if isinstance(value, list):
        inner = (repeating(each, at[1:] if at[:1] == (n,) else ()) for n, each in enumerate(value))
        return "[" + ", ".join(inner) + "]"
    return json.dumps(value)


@given(bodies, layouts)
def test_a_body_is_read_as_json_loads_reads_it(body: Any, layout: Any) -> None:
    text = json.dumps(body, **layout)
    assert msgspec.to_builtins(decode(text)) == json.loads(text)


@given(bodies, st.data())
def test_a_repeated_field_is_named_wherever_it_is(body: Any, data: st.DataObject) -> None:
    keys = [path for path in places(body) if isinstance(path[-1], str)]
    path = data.draw(st.sampled_from(keys))
    found = refusal(repeating(body, path))
    assert (found.field, found.problem) == (field_of(path), "must not be repeated")


def typed_places(body: Any) -> list[Path]:
    """Return the places whose type is fixed: all but those within `reported`."""
    return [path for path in places(body) if "reported" not in path[:-1]]


def named(path: Path) -> str:
    """Return what is named for a wrong value; for a tag it is the object of tags."""
    return field_of(path[:-1] if "tags" in path[:-1] else path)


@given(bodies, st.data())
def test_a_null_is_named_wherever_it_is(body: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(typed_places(body)))
    found = refusal(json.dumps(with_value(body, path, None)))
    assert (found.field, found.problem) == (named(path), "must not be null")


@given(bodies, st.data())
def test_a_wrong_type_is_named_wherever_it_is(body: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(typed_places(body)))
    wrong: Any = {} if path == ("turns",) else []
    found = refusal(json.dumps(with_value(body, path, wrong)))
    assert found.field == named(path)
    assert found.problem.startswith("must be ")


@given(bodies, st.data())
def test_an_unknown_field_is_named_as_it_was_sent(body: Any, data: st.DataObject) -> None:
    inside: Path = data.draw(st.sampled_from([(), ("turns", 0)]))
    name = data.draw(st.sampled_from(["latency_ms", "request_key", "Said", "agentID"]))
    found = refusal(json.dumps(with_value(body, (*inside, name), {"deep": [1]})))
    assert (found.field, found.problem) == (field_of((*inside, name)), "is not a known field")


@given(bodies, st.sampled_from(["NaN", "Infinity", "-Infinity"]), st.data())
def test_what_is_no_number_is_named_wherever_it_is(
    body: Any, text: str, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(typed_places(body)))
    written = json.dumps(with_value(body, path, float(text)))
    found = refusal(written)
    assert (found.field, found.problem) == (field_of(path), "must be a finite number")


@given(st.binary(max_size=40))
def test_bytes_that_are_no_body_are_refused_and_never_an_error_of_ours(data: bytes) -> None:
    assert refusal(data).field


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"turns":[', '{"turns":[{"reported":{"a":'])
@pytest.mark.parametrize("levels", [100, 5_000, 200_000])
def test_deep_nesting_is_refused(opening: str, levels: int) -> None:
    found = refusal(opening + "[" * levels + "]" * levels)
    assert found.field


def nested(levels: int, said: str = "hello") -> str:
    """Return a body whose innermost value lies in so many arrays and objects."""
    deep = "[" * (levels - 4) + "]" * (levels - 4)
    return '{"turns":[{"said":"' + said + '","reported":{"a":' + deep + "}}]}"


@pytest.mark.parametrize("levels", [MAX_NESTING + 1, 990, 5_000, 200_000])
def test_deep_nesting_that_is_well_formed_is_refused(levels: int) -> None:
    assert refusal(nested(levels)).sentence == "body must not be nested so deeply"


@pytest.mark.parametrize("said", ["hello", "[" * 9_000, '\\"[{' * 9_000, "\\\\" + "{" * 600])
def test_nesting_up_to_the_limit_is_taken_whatever_brackets_are_in_texts(said: str) -> None:
    decode(nested(MAX_NESTING, said))


@pytest.mark.parametrize("levels", [10, 5_000, 200_000])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_deep_nesting_in_another_encoding_is_refused(levels: int, encoding: str) -> None:
    # A byte of this sign is a quote, so that what follows looks like a text.
    body = ('{"turns":[{"said":"\N{FOR ALL}","reported":' + "[" * levels).encode(encoding)
    assert refusal(body).sentence in (
        "body must be well-formed JSON in UTF-8",
        "body must not be nested so deeply",
    )


def test_deep_nesting_with_a_repeated_field_is_refused() -> None:
    for levels in (100, 500, 900, 990, 1_100, 5_000):
        deep = "[" * levels + "]" * levels
        text = '{"turns":[{"said":"a","said":"b","reported":{"a":' + deep + "}}]}"
        assert refusal(text).field in ("turns[0].said", "body")


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\r\n"])
def test_an_empty_body_is_refused(data: bytes) -> None:
    assert refusal(data).sentence == "body must be a JSON object, not empty"


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "application/json; charset=utf-8", " Application/JSON ;q=1"],
)
def test_a_content_type_of_json_or_none_is_taken(content_type: str) -> None:
    assert decode('{"turns": []}', content_type).turns == []


@pytest.mark.parametrize("content_type", ["text/json", "application/jsonp", "json", "*/*"])
def test_another_content_type_is_refused(content_type: str) -> None:
    found = refusal('{"turns": []}', content_type)
    assert found.sentence == "Content-Type must be application/json"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"turns": [{}]}', "turns[0].said must be given"),
        ("{}", "turns must be given"),
        ("[]", "body must be an object"),
        ('{"turns": {}}', "turns must be an array"),
        ('{"turns": [{"said": 1}]}', "turns[0].said must be a string"),
        ('{"turns": [{"said": "a", "words": 1.5}]}', "turns[0].words must be a whole number"),
        ('{"turns": [{"said": "a", "isFinal": 1}]}', "turns[0].isFinal must be true or false"),
        (
            '{"turns": [{"said": "a", "latencyMs": 1e999}]}',
            "turns[0].latencyMs must be a finite number",
        ),
        ('{"turns": [{"said": "\\ud800"}]}', "body must be well-formed JSON in UTF-8"),
        ('{"turns": []} {}', "body must be well-formed JSON in UTF-8"),
        ("\ufeff{}", "body must be well-formed JSON in UTF-8"),
    ],
)
def test_each_refusal_says_what_is_wanted(text: str, sentence: str) -> None:
    assert refusal(text).sentence == sentence
