"""`vumeter limits`, beside a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from tests.commands.command import parsed, try_vumeter, vumeter
from tests.stack import Stack
from tests.waiting import until

DEFAULTS = {
    "requests_per_second": None,
    "points_per_second": None,
    "metrics": 5_000,
    "label_sets": 1_000_000,
    "label_values": 100_000,
}


def shown(db: Path, organization: str, **environment: str) -> dict[str, Any]:
    """Return the value of each limit, and which are the organization's own."""
    arguments = ("limits", "show", "--organization", organization, "--format", "json")
    rows = parsed(vumeter(*arguments, db=db, **environment))
    return {
        "values": {row["limit"]: row["value"] for row in rows},
        "own": [row["limit"] for row in rows if row["is_own"]],
    }


def change(db: Path, organization: str, *options: str) -> str:
    return vumeter("limits", "set", "--organization", organization, *options, db=db)


def limits_of_server(stack: Stack, bearer: str) -> Any:
    answer = requests.get(
        f"{stack.rest_url}/v1/custom-metrics/usage",
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=10,
    )
    return answer.json()["data"]["limits"]


def test_limits_are_changed_and_taken_back_and_the_server_follows(stack: Stack) -> None:
    key = stack.make_key("limited")
    assert shown(stack.db_path, "limited") == {"values": DEFAULTS, "own": []}
    printed = change(stack.db_path, "limited", "--metrics", "7", "--points-per-second", "1000")
    assert printed == "points_per_second of limited is 1,000\nmetrics of limited is 7\n"
    assert change(stack.db_path, "limited", "--requests-per-second", "none") == (
        "requests_per_second of limited is no limit\n"
    )
    assert shown(stack.db_path, "limited") == {
        "values": {**DEFAULTS, "metrics": 7, "points_per_second": 1_000},
        "own": ["requests_per_second", "points_per_second", "metrics"],
    }
    expected = {
        "requestsPerSecond": None,
        "pointsPerSecond": 1_000,
        "metrics": 7,
        "labelSets": 1_000_000,
        "labelValues": 100_000,
    }
    until(lambda: limits_of_server(stack, key.bearer) == expected)
    printed = change(stack.db_path, "limited", "--metrics", "default")
    assert printed == "metrics of limited is the default\n"
    assert shown(stack.db_path, "limited")["values"]["metrics"] == 5_000
    until(lambda: limits_of_server(stack, key.bearer)["metrics"] == 5_000)
    other = stack.make_key("unlimited")
    assert limits_of_server(stack, other.bearer)["pointsPerSecond"] is None


def test_defaults_are_those_of_the_environment(stack: Stack) -> None:
    stack.make_key("by_default")
    change(stack.db_path, "by_default", "--label-values", "50")
    assert shown(
        stack.db_path,
        "by_default",
        VUMETER_LIMIT_METRICS="30",
        VUMETER_LIMIT_LABEL_VALUES="40",
    ) == {"values": {**DEFAULTS, "metrics": 30, "label_values": 50}, "own": ["label_values"]}
    text = vumeter("limits", "show", "--organization", "by_default", db=stack.db_path)
    assert text.splitlines()[:2] == ["limit\tvalue\tis_own", "requests_per_second\t-\tFalse"]
    failed = try_vumeter(
        *("limits", "show", "--organization", "by_default"),
        db=stack.db_path,
        VUMETER_LIMIT_METRICS="many",
    )
    assert failed.returncode == 2
    assert failed.stderr == (
        "vumeter: VUMETER_LIMIT_METRICS must be a whole number from 1 to 30,000\n"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "give at least one limit"),
        (("--metrics", "0"), "0 is not a whole number from 1 to 30,000, nor default"),
        (("--metrics", "30001"), "30001 is not a whole number from 1 to 30,000, nor default"),
        (("--metrics", "none"), "none is not a whole number from 1 to 30,000, nor default"),
        (("--label-values", "-1"), "-1 is not a whole number from 1 to 10,000,000"),
        (("--points-per-second", "0"), "from 1 to 100,000,000, nor default or none"),
        (("--requests-per-second", "1.5"), "1.5 is not a whole number from 1 to 1,000,000"),
        (("--label-sets", "٣"), "٣ is not a whole number from 1 to 100,000,000"),
    ],
)
def test_a_limit_that_there_cannot_be_changes_nothing(
    stack: Stack, options: tuple[str, ...], says: str
) -> None:
    stack.make_key("unchanged")
    run = try_vumeter(
        *("limits", "set", "--organization", "unchanged", "--label-sets", "9", *options)
        if options
        else ("limits", "set", "--organization", "unchanged"),
        db=stack.db_path,
    )
    assert run.returncode == 2
    assert says in run.stderr
    assert shown(stack.db_path, "unchanged")["own"] == []


@pytest.mark.parametrize("command", [("show",), ("set", "--metrics", "7")])
def test_an_organization_that_there_is_not_has_no_limits(
    stack: Stack, command: tuple[str, ...]
) -> None:
    run = try_vumeter("limits", *command, "--organization", "nobody", db=stack.db_path)
    assert run.returncode == 2
    assert run.stderr == "vumeter: there is no organization nobody\n"
