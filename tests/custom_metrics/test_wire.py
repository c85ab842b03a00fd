"""Batches are read with their labels as bytes, and are the batches that the API's messages hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.custom_metrics.points import NOW_US, opened

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.custom_metrics import label_sets, wire
from vumeter_server.custom_metrics.columnar import UncheckedColumns, validate_columns
from vumeter_server.custom_metrics.label_sets import KnownLabelSets
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.validation import UncheckedPoints, validate
from vumeter_server.errors import InvalidArgument


def _varint(number: int) -> bytes:
    return bytes([number & 127 | 128, number >> 7])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TAGS = st.dictionaries(st.sampled_from(["a", "b", "company_id", "origin"]), TEXT, max_size=4)
LABELS = st.tuples(TEXT, TEXT, TAGS)


def read_points(data: bytes) -> Batch:
    columns = wire.read(wire.REQUEST_TYPES["RecordPoints"].FromString(data))
    assert isinstance(columns, UncheckedPoints)
    return validate(columns, NOW_US)


def read_columns(data: bytes) -> Batch:
    columns = wire.read(wire.REQUEST_TYPES["RecordColumns"].FromString(data))
    assert isinstance(columns, UncheckedColumns)
    return validate_columns(columns, NOW_US)


def label_set_of(agent_id: str, environment_id: str, tags: dict[str, str]) -> object:
    ids = {"agent_id": agent_id, "environment_id": environment_id}
    return tuple(sorted((key, value) for key, value in (tags | ids).items() if value))


@given(st.lists(LABELS, max_size=8))
def test_labels_are_read_as_they_were_sent(sent: list[tuple[str, str, dict[str, str]]]) -> None:
    of_points, of_columns = pb.RecordPointsRequest(), pb.RecordColumnsRequest()
    for agent_id, environment_id, tags in sent:
        labels = {"agent_id": agent_id, "environment_id": environment_id, "tags": tags}
        of_points.points.add(name="booking_attempt", **labels)
        of_columns.columns.label_sets.add(**labels)
    of_columns.columns.names.append("booking_attempt")
    of_columns.columns.name_indexes.extend([0] * len(sent))
    of_columns.columns.label_set_indexes.extend(range(len(sent)))
    one_by_one = read_points(of_points.SerializeToString())
    assert opened(one_by_one)["label_sets"] == [label_set_of(*labels) for labels in sent]
    assert read_columns(of_columns.SerializeToString()).digest() == one_by_one.digest()


def test_what_is_absent_is_told_from_what_is_zero() -> None:
    request = pb.RecordPointsRequest()
    request.points.add(name="queue_length", value=0)
    request.points.add(name="booking_attempt")
    request.points.add(name="booking_attempt").occur_time.seconds = 0
    batch = opened(read_points(request.SerializeToString()))
    assert batch["values"] == [0.0, None, None]
    assert batch["times_us"] == [-1, -1, 0]


def test_of_a_tag_that_is_sent_twice_the_last_counts() -> None:
    point = b"".join(
        pb.Point(name=name, tags={"a": value}).SerializeToString()
        for name, value in (("booking_attempt", "1"), ("", "2"))
    )
    request = b"\x0a" + bytes([len(point)]) + point
    assert pb.RecordPointsRequest.FromString(request).points[0].tags == {"a": "2"}
    assert opened(read_points(request))["label_sets"] == [(("a", "2"),)]


def test_a_tag_that_was_sent_twice_is_good_only_as_what_counted() -> None:
    def request_of(*values: str) -> bytes:
        point = b"".join(
            pb.Point(name="" if index else "booking_attempt", tags={"b": value}).SerializeToString()
            for index, value in enumerate(values)
        )
        return b"\x0a" + _varint(len(point)) + point

    too_long = "x" * 257
    assert opened(read_points(request_of(too_long, "2")))["label_sets"] == [(("b", "2"),)]
    with pytest.raises(InvalidArgument, match="at most 256 characters"):
        read_points(request_of(too_long))


def test_what_is_known_is_forgotten_when_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_sets, "MAX_BYTES", 4_000)
    known = KnownLabelSets[Any](lambda key: key, lambda tag: tag)
    keys = [("agent_xyz", "", ("company_id", str(number))) for number in range(20)]
    expected = [(("agent_id", "agent_xyz"), ("company_id", str(number))) for number in range(20)]
    assert known.find(keys) == expected
    assert 0 < len(known) < 6
    assert known.find(keys) == expected


def test_label_sets_share_their_labels() -> None:
    known = KnownLabelSets[Any](lambda key: key, lambda tag: tag)
    tag = ("company_id", "abc")
    first, second = known.find([("agent", "", tag), ("agent", "prod", ("company_id", "abc"))])
    assert first == (("agent_id", "agent"), tag)
    assert first is not None
    assert second is not None
    assert all(one is other for one, other in zip(first, second[:2], strict=True))


@pytest.mark.parametrize(
    "entry",
    [
        *(b"\xff", b"\x0a\x05ab", b"\x0a\x01a\x12\x02\xc3\x28"),
        *(b"\x0a\x01a\x12\x01b\x1a\x01c", b"\x0a\x01a\x10\x01"),
    ],
    ids=["no field", "cut short", "no UTF-8", "a field more", "a number for a value"],
)
def test_tags_that_cannot_be_read_are_a_malformed_request(entry: bytes) -> None:
    tags = b"\x42" + bytes([len(entry)]) + entry
    name = pb.Point(name="booking_attempt").SerializeToString()
    request = b"\x0a" + bytes([len(name) + len(tags)]) + name + tags
    with pytest.raises(InvalidArgument, match="Malformed request"):
        read_points(request)


def test_a_wrong_label_is_named_where_it_is_and_is_not_remembered_as_good() -> None:
    request = pb.RecordPointsRequest()
    request.points.add(name="booking_attempt", tags={"company_id": "abc"})
    request.points.add(name="booking_attempt", tags={"company_id": "abc", "date": "x"})
    for _ in range(2):
        with pytest.raises(InvalidArgument) as caught:
            read_points(request.SerializeToString())
        assert [each.field for each in caught.value.violations] == ["points[1].tags.date"]
