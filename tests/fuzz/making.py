"""Requests that nobody would send: documented ones, changed until little of them is left."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from google.protobuf.json_format import ParseDict
from tests.end_to_end.api import METHODS, POOL, REST, TYPED, Method
from tests.end_to_end.examples import load_examples

# No word of these is one by which a leak would be known.
TEXTS: Final = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "ü€😀",
    "\ud7ff",
    "\u202e",
    "a" * 257,
    "a" * 70_000,
    "'; DROP TABLE points; --",
    '"',
    "%",
    "%00",
    "../../etc/passwd",
    "{}",
    "[]",
    "null",
    "__other__",
    "(a+)+$",
    "[" * 200,
    "=~",
    "attempts / attempts * -1e308",
    "((((((((((",
    "2025-04-01",
    "2025-02-30",
    "0000-00-00",
    "9999-12-31",
    "2025-04-01T00:00:00Z",
    "2025-04-01T00:00:00.1234567890123+23:59",
    "1h",
    "999999999999999999d",
    "-1s",
    "Asia/Singapore",
    "Mars/Olympus",
    "agent_id",
    "session_id",
    "booking_attempt",
    "1",
    "-1",
    "1e400",
    "NaN",
    "true",
    "page_token",
    "5819e158-0000-4000-8000-000000000001",
)
NUMBERS: Final[tuple[Any, ...]] = (
    0,
    -0.0,
    -1,
    1,
    7,
    100_000,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    10**30,
    1e-320,
    1e308,
    0.1,
    float("nan"),
    float("inf"),
)
KINDS: Final = (
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "application/x-protobuf",
    "application/octet-stream",
    "",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RestRequest:
    """A request of HTTP/1.1; the target is escaped."""

    verb: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RpcRequest:
    """A call, and what is sent: messages as they go over the wire."""

    method: Method
    messages: Sequence[bytes]


def _examples() -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[Any]]]:
    rest: dict[str, list[dict[str, Any]]] = defaultdict(list)
    typed: dict[str, list[Any]] = defaultdict(list)
    for example in load_examples():
        ask = example.ask
        if example.is_typed:
            typed[ask["rpc"]].append(ask["request"])
        else:
            rest[example.method.name].append(ask)
    return rest, typed


_REST, _TYPED = _examples()


class Maker:
    """Makes requests by a seed: the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self) -> RestRequest | RpcRequest:
        """Make a request of any documented path or any method."""
        chance = self._random
        if chance.random() < 0.6:
            return self.rest(chance.choice(REST))
        return self.rpc(chance.choice(TYPED if chance.random() < 0.8 else METHODS))

    def rest(self, method: Method) -> RestRequest:
        """Make a request of a documented path."""
        chance = self._random
        examples = _REST.get(method.name)
        ask: dict[str, Any] = copy.deepcopy(chance.choice(examples)) if examples else {}
        path = ask.get("path") or method.path
        query = dict(ask.get("query") or {})
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            self._change_query(method, query)
        while "{" in path:
            before, _, rest = path.partition("{")
            path = before + quote(self._text(), safe="") + rest.partition("}")[2]
        if chance.random() < 0.05:
            path += chance.choice(("/", "//", "/..", "/%2e%2e/x", "?", "%"))
        target = path + (f"?{urlencode(query, errors='replace')}" if query else "")
        headers = {"content-type": chance.choice(KINDS) if chance.random() < 0.1 else KINDS[0]}
        body = None
        if method.verb == "POST" or chance.random() < 0.03:
            body = self._body(ask.get("body", {}), headers)
        verb = method.verb
        if chance.random() < 0.02:
            verb = chance.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"))
        return RestRequest(verb=verb, target=target[:30_000], headers=headers, body=body)

    def rpc(self, method: Method) -> RpcRequest:
        """Make a call of a method."""
        chance = self._random
        examples = _TYPED.get(method.name) or [{}]
        asked = chance.choice(examples)
        each = asked if isinstance(asked, list) else [asked]
        messages = [self._message(method, one) for one in each][:3] or [b""]
        return RpcRequest(method=method, messages=messages)

    def _message(self, method: Method, given: Any) -> bytes:
        chance = self._random
        changed = copy.deepcopy(given)
        if chance.random() < 0.7:
            changed = self._changed(changed)
        try:
            message = ParseDict(changed, method.request_type()(), descriptor_pool=POOL)
        except Exception:  # what is no such message is tried, too
            message = ParseDict(given, method.request_type()(), descriptor_pool=POOL)
        data: bytes = message.SerializeToString()
        return spoiled(chance, data) if chance.random() < 0.3 else data

    def _body(self, example: Any, headers: dict[str, str]) -> bytes:
        chance = self._random
        body = example
        for _ in range(chance.choice((0, 1, 1, 1, 2, 4))):
            body = self._changed(body)
        data = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode(errors="replace")
        if chance.random() < 0.15:
            data = spoiled(chance, data)
        if chance.random() < 0.1:
            headers["content-encoding"] = chance.choice(("gzip", "gzip", "identity", "br", "GZIP"))
            if chance.random() < 0.7:
                data = gzip.compress(data, 1)
        return data

    def _change_query(self, method: Method, query: dict[str, str]) -> None:
        chance = self._random
        names = [*method.query_parameters, "unknown", "start_date", "page_token"]
        name = chance.choice(names)
        if chance.random() < 0.2:
            query.pop(name, None)
        elif name in ("tags", "filters") and chance.random() < 0.5:
            query[name] = json.dumps(self._value(2), default=str)
        else:
            query[name] = self._text()

    def _text(self) -> str:
        chance = self._random
        if chance.random() < 0.7:
            return chance.choice(TEXTS)
        return "".join(chr(chance.randrange(1, 0xD800)) for _ in range(chance.randrange(12)))

    def _value(self, depth: int) -> Any:
        chance = self._random
        drawn = chance.random()
        if drawn < 0.35 or depth == 0:
            return self._text()
        if drawn < 0.65:
            return chance.choice(NUMBERS)
        if drawn < 0.75:
            return chance.choice((None, True, False))
        if drawn < 0.88:
            return [self._value(depth - 1) for _ in range(chance.randrange(4))]
        return {self._text(): self._value(depth - 1) for _ in range(chance.randrange(4))}

    def _changed(self, value: Any) -> Any:
        """Return a JSON value with one of its parts changed."""
        chance = self._random
        if isinstance(value, dict) and value and chance.random() < 0.85:
            key = chance.choice(list(value))
            drawn = chance.random()
            if drawn < 0.08:
                del value[key]
            elif drawn < 0.14:
                value[self._text()] = value.pop(key)
            elif drawn < 0.2:
                value[self._text()] = self._value(2)
            else:
                value[key] = self._changed(value[key])
            return value
        if isinstance(value, list) and value and chance.random() < 0.85:
            place = chance.randrange(len(value))
            drawn = chance.random()
            if drawn < 0.1:
                del value[place]
            elif drawn < 0.2:
                return value * chance.choice((2, 3, 50))
            else:
                value[place] = self._changed(value[place])
            return value
        if chance.random() < 0.03:
            return self._deep()
        return self._value(3)

    def _deep(self) -> Any:
        deep: Any = 1
        for _ in range(self._random.choice((20, 90, 400))):
            deep = [deep] if self._random.random() < 0.5 else {"a": deep}
        return deep


def spoiled(chance: random.Random, data: bytes) -> bytes:
    """Return bytes of which some are changed, missing or too many."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(made) + 1)
        drawn = chance.random()
        if drawn < 0.3:
            made[place:place] = chance.randbytes(chance.choice((1, 2, 16)))
        elif drawn < 0.5:
            del made[place : place + chance.choice((1, 4, 100))]
        elif place < len(made):
            made[place] = chance.randrange(256)
    return bytes(made)
