"""Names, groupings and tag filters of queries."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.labels import (
    check_group_by,
    check_metric_names,
    check_tags,
    is_label_name,
    is_metric_name,
    label_filter,
    parse_group_by,
    parse_metric_names,
    parse_tags,
)
from vumeter_server.errors import InvalidArgument

NOT_AN_OBJECT = "tags must be a JSON object of strings, numbers or booleans"


@pytest.mark.parametrize(
    ("name", "metric", "label"),
    [
        ("booking_attempt", True, True),
        ("_", True, True),
        ("A9", True, True),
        ("gen_ai.client.duration:p95", True, False),
        ("x" * 128, True, True),
        ("x" * 129, True, False),
        ("x" * 200, True, False),
        ("x" * 201, False, False),
        ("", False, False),
        ("9a", False, False),
        (".a", False, False),
        ("a-b", False, False),
        ("a b", False, False),
        ("a\n", False, False),
        ("größe", False, False),
        ("a٣", False, False),
    ],
)
def test_names_follow_their_grammar(name: str, metric: bool, label: bool) -> None:
    assert is_metric_name(name) is metric
    assert is_label_name(name) is label


@pytest.mark.parametrize("text", [None, ""])
def test_absent_and_empty_mean_all_metrics_no_grouping_and_no_filter(text: str | None) -> None:
    assert parse_metric_names(text) == ()
    assert parse_group_by(text) == ()
    assert parse_tags(text) == {}


def test_metric_names_are_trimmed_and_repeats_dropped() -> None:
    assert parse_metric_names(" faq_query , booking_attempt,faq_query ") == (
        "faq_query",
        "booking_attempt",
    )


def test_a_name_that_no_metric_can_have_is_asked_for_in_vain_but_not_refused() -> None:
    assert parse_metric_names("no-such metric") == ("no-such metric",)


@pytest.mark.parametrize("text", [",", " ", "a,", ",a", "a,,b", "a, ,b"])
def test_an_empty_item_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_metric_names(text)
    assert caught.value.message == "metric_names must be a list of metric names without empty items"
    with pytest.raises(InvalidArgument) as caught:
        parse_group_by(text)
    assert caught.value.message == "group_by must be a list of label names without empty items"


def test_limits_count_after_repeats_are_dropped() -> None:
    names = [f"metric_{number}" for number in range(100)]
    assert parse_metric_names(",".join(names + names)) == tuple(names)
    assert parse_group_by("a,b,c,d,e,a,b") == ("a", "b", "c", "d", "e")
    with pytest.raises(InvalidArgument, match=r"^metric_names must hold at most 100 names$"):
        check_metric_names([*names, "one_more"])
    with pytest.raises(InvalidArgument, match=r"^group_by must hold at most 5 labels$"):
        check_group_by("abcdef")


def test_system_labels_can_be_grouped_by() -> None:
    assert parse_group_by("company_id, agent_id,environment_id,session_id") == (
        "company_id",
        "agent_id",
        "environment_id",
        "session_id",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("metric_name", "must not hold metric_name"),
        ("company_id,organization_id", "must not hold organization_id"),
        ("date", "must not hold date"),
        ("metrics", "must not hold metrics"),
        ("company-id", 'must hold label names: "company-id" is none'),
        ("a b", 'must hold label names: "a b" is none'),
        ("größe", 'must hold label names: "größe" is none'),
        ("x" * 129, f'must hold label names: "{"x" * 39}…" is none'),
    ],
)
def test_what_cannot_be_grouped_by_is_named(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_group_by(text)
    assert caught.value.message == f"group_by {problem}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {}),
        (' {"origin": "phone", "company_id": "abc"} ', {"origin": "phone", "company_id": "abc"}),
        ('{"branch": 1}', {"branch": "1"}),
        ('{"branch": 1.0}', {"branch": "1"}),
        ('{"branch": "1"}', {"branch": "1"}),
        ('{"branch": "1.0"}', {"branch": "1.0"}),
        ('{"branch": -0}', {"branch": "0"}),
        ('{"branch": -0.0}', {"branch": "0"}),
        ('{"branch": 1e3}', {"branch": "1000"}),
        ('{"branch": 0.00001}', {"branch": "0.00001"}),
        ('{"branch": 1.50}', {"branch": "1.5"}),
        ('{"branch": -2.5E-7}', {"branch": "-0.00000025"}),
        ('{"phone": 6598765432101234567890}', {"phone": "6598765432101234567890"}),
        ('{"vip": true, "new": false}', {"vip": "true", "new": "false"}),
        ('{"origin": ""}', {"origin": ""}),
        ('{"origin": "caf\\u00e9 \\ud83d\\ude00"}', {"origin": "café 😀"}),
        ('{"agent_id": "agent_xyz"}', {"agent_id": "agent_xyz"}),
        ('{"date": "x", "not a label": "y"}', {"date": "x", "not a label": "y"}),
    ],
)
def test_tags_are_compared_as_text(text: str, expected: dict[str, str]) -> None:
    assert parse_tags(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "origin=phone",
        "{",
        "{'origin': 'phone'}",
        '{"origin": "phone",}',
        '{"origin": "phone"} x',
        "null",
        "[]",
        '"origin"',
        "1",
        '{"origin": null}',
        '{"origin": ["phone"]}',
        '{"origin": {"a": "b"}}',
        '{"origin": {}}',
        '{"origin": "phone", "origin": "phone"}',
        '{"origin": "phone", "\\u006frigin": "web"}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e400}',
        '{"a": 01}',
        '{"a": "\\ud800"}',
        '{"\\udfff": "a"}',
        '{"a": "\x01"}',
        '{"a": ' * 100 + "1" + "}" * 100,
        '{"a": ' + "[" * 100_000,
        "[" * 100_000,
        '{"a": ' * 100_000,
    ],
)
def test_tags_that_are_no_flat_object_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_tags(text)
    assert caught.value.message == NOT_AN_OBJECT


@pytest.mark.parametrize("label", ["metric_name", "organization_id"])
def test_some_labels_are_never_filtered_by(label: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^tags must not filter by {label}$"):
        parse_tags(f'{{"{label}": "a"}}')
    with pytest.raises(InvalidArgument, match=f"^labels must not filter by {label}$"):
        check_tags({label: "a"}, "labels")


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4))
def test_a_map_of_texts_passes_through_json(tags: dict[str, str]) -> None:
    assert parse_tags(orjson.dumps(tags).decode()) == tags


def test_filters_of_a_query_are_joined() -> None:
    tags = {"origin": "phone", "agent_id": "agent_a"}
    assert label_filter(tags, agent_id="", environment_id=None) == (
        ("agent_id", "agent_a"),
        ("origin", "phone"),
    )
    assert label_filter(tags, agent_id="agent_a", environment_id="production") == (
        ("agent_id", "agent_a"),
        ("environment_id", "production"),
        ("origin", "phone"),
    )


def test_two_filters_on_one_label_stay_two() -> None:
    assert label_filter({"agent_id": "agent_a"}, agent_id="agent_b") == (
        ("agent_id", "agent_a"),
        ("agent_id", "agent_b"),
    )
