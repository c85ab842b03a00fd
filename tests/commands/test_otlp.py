"""`vumeter otlp` beside a running server: mappings that exports follow, and what was rejected."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.commands.command import parsed, try_vumeter, vumeter
from tests.otlp.decoded import attributes, request
from tests.otlp.sending import Sender
from tests.stack import Stack
from tests.waiting import until

from vumeter_server.otlp.mapping import DEFAULT_MAPPING


def counter(name: str, value: Any, unit: str = "", **labels: str) -> dict[str, Any]:
    point = {
        "asDouble": value,
        "timeUnixNano": str(time.time_ns()),
        "attributes": attributes(labels),
    }
    return {
        "name": name,
        "unit": unit,
        "description": "Calls that came in" if unit else "",
        "sum": {"dataPoints": [point], "aggregationTemporality": 1, "isMonotonic": True},
    }


def sender_of(stack: Stack, organization: str) -> Sender:
    return Sender(stack, stack.make_key(organization))


def test_a_mapping_is_shown_changed_and_followed_by_the_server(stack: Stack) -> None:
    name = "mapping"
    sender = sender_of(stack, name)
    show = ("otlp", "mapping", "show", "--organization", name)
    lists = {
        "agent": list(DEFAULT_MAPPING.agent),
        "environment": list(DEFAULT_MAPPING.environment),
        "session": list(DEFAULT_MAPPING.session),
        "kept": list(DEFAULT_MAPPING.kept),
        "dropped": list(DEFAULT_MAPPING.dropped),
    }
    assert parsed(vumeter(*show, "--format", "json", db=stack.db_path)) == lists
    change = ("otlp", "mapping", "set", "--organization", name)
    printed = vumeter(*change, "session", "call.sid", "room_id", db=stack.db_path)
    assert printed == f"session of {name}: call.sid, room_id\n"
    assert (
        vumeter(*change, "dropped", "secret*", db=stack.db_path) == f"dropped of {name}: secret*\n"
    )
    changed = lists | {"session": ["call.sid", "room_id"], "dropped": ["secret*"]}
    assert parsed(vumeter(*show, "--format", "json", db=stack.db_path)) == changed

    def sessions(metric: str) -> set[str]:
        labels = {"call.sid": "CA1", "secret_key": "x", "job_id": "j"}
        sender.post_json(request(counter(metric, 1, **labels)))
        return set(sender.query(metric, "sum"))

    # A running server follows within a second.
    until(lambda: "CA1" in sessions("calls"))
    assert sessions("later") == {"CA1"}
    assert sender.query("later", "sum", group="job_id").keys() == {"j"}
    assert sender.query("later", "sum", group="secret_key").keys() == {""}

    printed = vumeter("otlp", "mapping", "reset", "--organization", name, db=stack.db_path)
    assert printed == f"{name} has the default mapping: vumeter otlp mapping show\n"
    assert parsed(vumeter(*show, "--format", "json", db=stack.db_path)) == lists


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("agent", "x*"), "x*: * is taken at the end of keys of kept and dropped"),
        (("kept", "a*b"), "a*b: * is taken at the end of keys of kept and dropped"),
        (("kept", ""), "a key must have 1 to 256 characters"),
        (("kept", "x" * 257), "a key must have 1 to 256 characters"),
        (("kept", *map(str, range(101))), "at most 100 keys"),
        (("labels", "x"), "Invalid value for 'LIST'"),
    ],
)
def test_a_wrong_mapping_changes_nothing(
    stack: Stack, arguments: tuple[str, ...], message: str
) -> None:
    stack.make_key("careful")
    run = try_vumeter(
        *("otlp", "mapping", "set", "--organization", "careful", *arguments), db=stack.db_path
    )
    assert run.returncode == 2
    assert message in " ".join(run.stderr.split())


@pytest.mark.parametrize(
    "command",
    [("rejected",), ("mapping", "show"), ("mapping", "set", "kept", "x"), ("mapping", "reset")],
)
def test_an_organization_that_is_not_there_is_said(stack: Stack, command: tuple[str, ...]) -> None:
    run = try_vumeter("otlp", *command, "--organization", "nobody", db=stack.db_path)
    assert (run.returncode, run.stderr) == (2, "vumeter: there is no organization nobody\n")


def test_what_was_rejected_is_listed_and_counted(stack: Stack) -> None:
    name = "refusing"
    sender = sender_of(stack, name)
    for value in (-1, 2, -3):
        sender.post_json(request(counter("calls", value), counter("no name", 1)))
    sender.post_json(request(counter("calls", 1, topic="x" * 300)))
    command = ("otlp", "rejected", "--organization", name, "--format", "json")
    latest = parsed(vumeter(*command, db=stack.db_path))
    assert [(each["metric"], each["reason"]) for each in latest] == [
        ("calls", "value"),
        ("no name", "name"),
        ("no name", "name"),
        ("calls", "value"),
        ("no name", "name"),
    ]
    assert {each["key_id"] for each in latest} == {sender.key.key_id}
    assert latest[0]["problem"] == "must not be negative for a counter"
    counts = parsed(vumeter(*command, "--counts", db=stack.db_path))
    assert sorted(
        (each["reason"], each["rejected"], each["metric"], each["points"]) for each in counts
    ) == sorted(
        [("name", "yes", "no name", 3), ("value", "yes", "calls", 2), ("cut", "no", None, 1)],
    )


def test_of_very_many_the_last_hundred_are_listed(stack: Stack) -> None:
    name = "refusing much"
    sender = sender_of(stack, name)
    for number in range(3):
        wrong = [counter(f"calls{number}", -1) for _ in range(60)]
        sender.post_json(request(*wrong))
    command = ("otlp", "rejected", "--organization", name, "--format", "json")
    listed = [each["metric"] for each in parsed(vumeter(*command, db=stack.db_path))]
    assert listed == ["calls2"] * 60 + ["calls1"] * 40
    counts = parsed(vumeter(*command, "--counts", db=stack.db_path))
    assert {each["metric"]: each["points"] for each in counts} == dict.fromkeys(
        ("calls0", "calls1", "calls2"), 60
    )


def test_units_and_descriptions_are_listed_with_the_metrics(stack: Stack) -> None:
    name = "describing"
    sender = sender_of(stack, name)
    sender.post_json(request(counter("calls", 1, "{call}"), counter("plain", 1)))
    # The first unit stays.
    sender.post_json(request(counter("calls", 1, "{turn}")))
    command = ("metrics", "list", "--organization", name, "--format", "json")
    assert parsed(vumeter(*command, db=stack.db_path)) == [
        {
            "name": "calls",
            "type": "counter",
            "unit": "{call}",
            "description": "Calls that came in",
        },
        {"name": "plain", "type": "counter", "unit": None, "description": None},
    ]
    notes = {each.note: each.count for each in sender.rejected().notes}
    assert notes == {"unit": 1}
