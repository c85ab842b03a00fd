"""Documented examples as data, a file each, and how they are run.

`tests/examples/<family>/*.json` are requests of the documented paths:

    what    what it shows
    record  what is recorded first
    ask     "method", "path", and "query" or "body"
    status  of HTTP
    answer  the whole JSON; ANY stands for what differs from run to run, such as a key id, and
            MAYBE for what may also be null or not there

`tests/examples/<family>/typed/*.json` are calls of typed methods:

    what    what it shows
    as      "nobody" for a caller without a credential
    fresh   true for a product of which nobody has seen anything
    differs_on_cluster  what is another one there, such as a token that says how far an answer came
    record  calls made first, each as `ask`
    ask     "rpc" and "request" in proto JSON, a list of them for a stream of requests
    status  the name of gRPC's status
    answer  the whole message in proto JSON, what is not set left out; for a stream of answers a
            list, of which no more than its length is awaited if the stream has no end; for a
            refused call google.rpc.Status with everything. ANY and MAYBE as above
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import grpc
from tests.end_to_end.api import BY_NAME, EXAMPLES, FAMILIES, Method, method_at
from tests.end_to_end.callers import Caller

ANY: Final = "<any>"
MAYBE: Final = "<maybe>"
NOT_ON_CLUSTER: Final = ("bytes",)
"""What docs/scale.md says that a cluster does not know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One file; the family is that of its directory."""

    name: str
    family: str
    content: dict[str, Any]

    @property
    def ask(self) -> dict[str, Any]:
        return dict(self.content["ask"])

    @property
    def is_typed(self) -> bool:
        return "rpc" in self.ask

    @property
    def is_fresh(self) -> bool:
        return bool(self.content.get("fresh"))

    @property
    def is_success(self) -> bool:
        return self.content["status"] in (200, "OK")

    @property
    def method(self) -> Method:
        """The method that it asks."""
        ask = self.ask
        return BY_NAME[ask["rpc"]] if self.is_typed else method_at(ask["method"], ask["path"])


def load_examples() -> list[Example]:
    """Read the examples of the families that this product has."""
    return [
        Example(
            name=path.relative_to(EXAMPLES).with_suffix("").as_posix(),
            family=family,
            content=json.loads(path.read_text()),
        )
        for family in FAMILIES
        for path in sorted((EXAMPLES / family).rglob("*.json"))
    ]


def call(caller: Caller, example: Example) -> None:
    """Make the calls of a typed example; assert its answer."""
    content = example.content
    for earlier in content["record"]:
        answer = caller.rpc(earlier["rpc"], earlier["request"])
        assert answer.code == 0, answer.body
    if content.get("as") == "nobody":
        caller = caller.showing({})
    endless = example.method.descriptor.server_streaming and not (
        example.method.descriptor.client_streaming
    )
    at_most = len(content["answer"]) if endless and example.is_success else None
    answer = caller.rpc(content["ask"]["rpc"], content["ask"]["request"], at_most=at_most)
    differing = content.get("differs_on_cluster", ()) if caller.stack.store else ()
    found = with_any(
        answer.body, content["answer"], on_cluster=bool(caller.stack.store), differing=differing
    )
    assert found == content["answer"]
    assert answer.code == grpc.StatusCode[content["status"]].value[0]


def ask(caller: Caller, example: Example) -> None:
    """Make the requests of an example of a documented path; assert its answer."""
    content = example.content
    for earlier in content["record"]:
        answer = caller.post(earlier["path"], earlier["body"])
        assert answer.status == 200, answer.body
    request = content["ask"]
    answer = caller.rest(
        request["method"], request["path"], request.get("query"), request.get("body")
    )
    body = with_any(answer.body, content["answer"], on_cluster=bool(caller.stack.store))
    assert json.dumps(body, sort_keys=True) == json.dumps(content["answer"], sort_keys=True)
    assert answer.status == content["status"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def with_any(
    answer: Any, expected: Any, *, on_cluster: bool = False, differing: Collection[str] = ()
) -> Any:
    """Return an answer with ANY and MAYBE where they are expected and stand for what there is.

    Of what is `differing`, too, it is only expected that it is there.
    """
    if expected == MAYBE or (expected == ANY and answer is not None):
        return expected
    if isinstance(answer, dict) and isinstance(expected, dict):
        absent = {
            key: value
            for key, value in expected.items()
            if value == MAYBE or (on_cluster and key in NOT_ON_CLUSTER)
        }
        there = {key: expected[key] for key in differing if key in answer and key in expected}
        return (
            absent
            | {
                key: with_any(value, expected.get(key), on_cluster=on_cluster, differing=differing)
                for key, value in answer.items()
                if value is not None or key not in absent
            }
            | there
        )
    if isinstance(answer, list) and isinstance(expected, list):
        wanted = [*expected, *[None] * len(answer)]
        return [
            with_any(*each, on_cluster=on_cluster, differing=differing)
            for each in zip(answer, wanted, strict=False)
        ]
    return answer
