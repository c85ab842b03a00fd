"""Every documented example, and that no method is without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.end_to_end import examples
from tests.end_to_end.api import METHODS, REST, TYPED, Method
from tests.end_to_end.callers import Caller
from tests.end_to_end.conftest import connected, new_name, with_key
from tests.end_to_end.examples import Example
from tests.stack import Start

EXAMPLES = examples.load_examples()
# The other families run the examples of their paths themselves: each has its own way of recording.
OF_PATHS = [each for each in EXAMPLES if not each.is_typed and each.family == "custom_metrics"]
OF_METHODS = [each for each in EXAMPLES if each.is_typed and not each.is_fresh]
FRESH = [each for each in EXAMPLES if each.is_typed and each.is_fresh]


@pytest.mark.parametrize("example", OF_PATHS, ids=[each.name for each in OF_PATHS])
def test_a_path_answers_as_documented(owner: Caller, example: Example) -> None:
    examples.ask(owner, example)


@pytest.mark.parametrize("example", OF_METHODS, ids=[each.name for each in OF_METHODS])
def test_a_typed_method_answers_as_its_example(owner: Caller, example: Example) -> None:
    examples.call(owner, example)


@pytest.mark.parametrize("example", FRESH, ids=[each.name for each in FRESH])
def test_a_typed_method_answers_about_everything_as_its_example(
    start: Start, tmp_path: Path, example: Example
) -> None:
    stack = start(tmp_path, VUMETER_ACCESS_LOG="false")
    with connected(stack) as anybody:
        examples.call(with_key(anybody, new_name()), example)
    assert stack.stop() == 0


@pytest.mark.parametrize("method", METHODS, ids=[each.name for each in METHODS])
def test_each_method_has_a_success_and_an_error_example(method: Method) -> None:
    found = {each.is_success for each in EXAMPLES if each.method.name == method.name}
    # Events that a path sends have no end: no file can hold the whole answer.
    endless = method.is_rest and method.descriptor.server_streaming
    # What pages are made of is no JSON, and the document is a file of its own: tests/dashboard and
    # tests/openapi look at them.
    # A code to sign in with is good once: test_sign_in.py.
    no_file = endless or method.family in ("dashboard", "openapi")
    wanted = {False} if no_file or method.descriptor.name == "SignIn" else {True, False}
    assert found >= wanted


def test_every_service_is_typed_or_documented_as_a_whole() -> None:
    rest = {each.name.split("/")[0] for each in REST}
    assert rest.isdisjoint(each.name.split("/")[0] for each in TYPED)
    assert all(service.endswith("RestService") for service in rest)
