"""JSON that the server writes ends with a newline, so that a prompt stands on a line of its own."""

from __future__ import annotations

import pytest
import requests
from tests.end_to_end.api import CLOSED_REST
from tests.end_to_end.callers import Caller
from tests.end_to_end.examples import Example, load_examples, with_any

WRITTEN_BY_THE_SERVER = {
    method.name
    for method in CLOSED_REST
    if method.descriptor.output_type.full_name.endswith("HttpBody")
}
ASKED = {
    example.method.name: example
    for example in load_examples()
    if example.is_success and not example.is_typed
}


def test_each_method_whose_answer_the_server_writes_is_asked() -> None:
    assert WRITTEN_BY_THE_SERVER
    assert ASKED.keys() >= WRITTEN_BY_THE_SERVER


@pytest.mark.parametrize("example", [ASKED[name] for name in sorted(WRITTEN_BY_THE_SERVER)])
def test_an_answer_ends_with_one_newline(owner: Caller, example: Example) -> None:
    if not example.is_fresh:
        for recorded in example.content["record"]:
            assert owner.rest("POST", recorded["path"], body=recorded["body"]).status == 200
    ask = example.ask
    response = requests.request(
        ask["method"],
        owner.stack.rest_url + ask["path"],
        params=ask.get("query"),
        json=ask.get("body"),
        headers=dict(owner.credentials),
        timeout=10,
    )
    answer, expected = response.json(), example.content["answer"]
    if example.is_fresh:
        # Other tests recorded too.
        assert answer.keys() == expected.keys()
    else:
        assert with_any(answer, expected) == expected
    assert response.content.endswith(b"\n")
    assert not response.content.endswith(b"\n\n")
