"""What the page about security lists is what the code has."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tests.documentation.pages import DOCS, PAGES, ROOT, sections, spans

from vumeter_server.access.roles import PUBLIC, TABLE
from vumeter_server.runtime.limits import DEFAULT_LIMITS, NO_LIMIT, RANGES

OF_ENVOY = {"GET /healthz", "GET /"}
"""Envoy answers these by itself: with the health of servers, and with the way to the dashboard."""
PUBLIC_METHODS = {
    f"{service}.{method}"
    for service, access, methods in TABLE
    if access is PUBLIC
    for method in methods
}


def text_of(heading: str) -> str:
    (text,) = (
        each.text
        for each in sections((DOCS / "security.md").read_text())
        if each.heading == heading
    )
    return text


def paths() -> Iterator[tuple[str, str]]:
    """Return the full name of each method that is served over REST, and verb and path."""
    described = FileDescriptorSet.FromString((ROOT / "generated" / "api.binpb").read_bytes())
    for file in described.file:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                if verb is not None:
                    name = f"{file.package}.{service.name}.{method.name}"
                    yield name, f"{verb.upper()} {getattr(rule, verb)}"


def test_what_needs_no_credential_is_listed_and_nothing_else() -> None:
    listed = set(spans(text_of("Without a credential")))
    of_methods = {each for each in listed if re.fullmatch(r"\w+\.\w+", each)}
    of_paths = {each for each in listed if re.fullmatch(r"[A-Z]+ /.*", each)}
    assert of_methods == {".".join(each.rsplit(".", 2)[1:]) for each in PUBLIC_METHODS}
    assert of_paths == OF_ENVOY | {path for name, path in paths() if name in PUBLIC_METHODS}
    assert len(of_paths) > len(OF_ENVOY)


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/credentials.md"])
def test_other_pages_name_the_list_rather_than_another_one(page: str) -> None:
    assert "security.md#without-a-credential" in PAGES[page]


def test_what_an_organization_may_take_is_what_limits_say() -> None:
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in text_of("What an organization may take").splitlines()
        if line.startswith("|")
    ]
    rates = {name for name in RANGES if getattr(DEFAULT_LIMITS, name) == NO_LIMIT}
    for name in rates:
        option = f"`--{name.replace('_', '-')}`"
        assert [default for _, bound, default in rows if option in bound] == ["not bounded"]
    numbers = [f"{getattr(DEFAULT_LIMITS, name):,}" for name in RANGES if name not in rates]
    found = {what: default for what, _, default in rows}
    assert found["metrics, label sets, values of a label"] == ", ".join(numbers)
