"""Every method with another organization's key: it sees nothing and changes nothing.

`isolation/<family>.json`:

    record  calls by the owner
    view    questions whose answers must be the same before and after, for the owner
    asks    a call by somebody else for each method, with the whole answer
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.api import BY_NAME, CLOSED, FAMILIES, Method, method_at
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.conftest import new_name, with_key
from tests.end_to_end.examples import with_any

TABLES = {
    family: json.loads(file.read_text())
    for family in FAMILIES
    if (file := Path(__file__).parent / "isolation" / f"{family}.json").exists()
}
ASKS = [
    (family, ask)
    for family, table in TABLES.items()
    if table.get("organizations", True)
    for ask in table["asks"]
]


def method_of(ask: dict[str, Any]) -> Method:
    return BY_NAME[ask["rpc"]] if "rpc" in ask else method_at(ask["method"], ask["path"])


def make(caller: Caller, ask: dict[str, Any]) -> Answer:
    if "rpc" in ask:
        return caller.rpc(ask["rpc"], ask["request"])
    return caller.rest(ask["method"], ask["path"], ask.get("query"), ask.get("body"))


@pytest.mark.parametrize("method", CLOSED, ids=[method.name for method in CLOSED])
def test_each_method_is_tried_with_another_organizations_key(method: Method) -> None:
    assert method.family in TABLES, f"isolation/{method.family}.json is missing"
    tried = {method_of(ask).name for family, ask in ASKS if family == method.family}
    assert method.name in tried or not TABLES[method.family].get("organizations", True)


@pytest.mark.parametrize(
    ("family", "ask"), ASKS, ids=[f"{n}-{method_of(ask).name}" for n, (_, ask) in enumerate(ASKS)]
)
def test_another_organization_sees_nothing_and_changes_nothing(
    owner: Caller, anybody: Caller, family: str, ask: dict[str, Any]
) -> None:
    table = TABLES[family]
    for earlier in table["record"]:
        assert make(owner, earlier).code == 0
    before = [make(owner, each).body for each in table["view"]]
    stranger = with_key(anybody, new_name())
    answer = make(stranger, ask).body
    found = with_any(answer, ask["answer"], on_cluster=bool(stranger.stack.store))
    assert found == ask["answer"]
    assert [make(owner, each).body for each in table["view"]] == before


@pytest.mark.parametrize("family", sorted({family for family, _ in ASKS}))
def test_the_owner_does_see_what_it_recorded(owner: Caller, family: str) -> None:
    """Without this the answers above would prove nothing."""
    table = TABLES[family]
    nothing = [make(owner, each).body for each in table["view"]]
    for earlier in table["record"]:
        assert make(owner, earlier).code == 0
    for empty, each in zip(nothing, table["view"], strict=True):
        assert make(owner, each).body != empty
