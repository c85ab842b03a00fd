"""Errors: messages, limits and the spelling of fields."""

from __future__ import annotations

import pytest

from vumeter_server.errors import (
    Conflict,
    InvalidArgument,
    PermissionDenied,
    Unavailable,
    Violation,
    respell,
)

NAMES = {"agent_id": "agentId", "start_date": "startDate", "points": "points"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("start_date", "startDate"),
        ("points[3].agent_id", "points[3].agentId"),
        ("agent_id.agent_id[0][1].agent_id", "agentId.agentId[0][1].agentId"),
        ("points[3].tags.agent_id", "points[3].tags.agent_id"),
        ('points[3].tags["agent_id"]', 'points[3].tags["agent_id"]'),
        ('tags["a.agent_id"]', 'tags["a.agent_id"]'),
        ("tags.agent_id", "tags.agent_id"),
        ("not a path agent_id", "not a path agent_id"),
        ("", ""),
    ],
)
def test_identifiers_of_a_path_are_respelled_and_map_keys_are_not(path: str, expected: str) -> None:
    assert respell(path, NAMES) == expected


def test_message_is_the_first_violations_sentence_in_the_callers_spelling() -> None:
    error = InvalidArgument.of("start_date", "must be a string")
    assert error.message == str(error) == "start_date must be a string"
    respelled = error.respelled(NAMES)
    assert respelled.message == str(respelled) == "startDate must be a string"
    assert error.violations[0].field == "start_date"


def test_a_given_message_outranks_the_violations() -> None:
    error = InvalidArgument(
        "Narrow the range or the grouping", violations=[Violation(field="x", problem="is big")]
    )
    assert error.respelled(NAMES).message == "Narrow the range or the grouping"


def test_a_class_without_message_says_its_own() -> None:
    assert PermissionDenied().message == "Insufficient permissions"
    assert Conflict(message="Idempotency key reused").message == "Idempotency key reused"


def test_at_most_ten_violations_of_at_most_200_characters_are_kept() -> None:
    error = InvalidArgument(violations=[Violation(field="f" * 900, problem="p" * 900)] * 11)
    assert len(error.violations) == 10
    assert (
        len(error.violations[0].field)
        == len(error.violations[0].problem)
        == len(error.message)
        == 200
    )


def test_text_that_no_encoder_accepts_is_replaced() -> None:
    assert InvalidArgument.of("tags", "holds \ud800").message == "tags holds ?"


def test_a_respelled_error_still_says_when_to_retry() -> None:
    assert Unavailable(retry_after_seconds=7).respelled(NAMES).retry_after_seconds == 7
