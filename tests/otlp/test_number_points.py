"""Points of numbers: however they lie in their bytes, they are what protobuf says."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1 import metrics_pb2
from tests.otlp.decoded import batch_of

from vumeter_server.custom_metrics.exported import Reason
from vumeter_server.errors import InvalidArgument
from vumeter_server.otlp.mapping import AttributeMapping

TIMES = st.sampled_from([0, 1, 1_795_708_900_000_000_123, 2**63 - 1, 2**63, 2**64 - 1])
VALUES = st.one_of(
    st.builds(lambda value: {"as_double": value}, st.floats()),
    st.builds(lambda value: {"as_int": value}, st.integers(-(2**63), 2**63 - 1)),
    st.just({}),
)
# Some look like attributes of their own; one is too long for a length of one byte.
TEXTS = st.sampled_from(
    ["", "a", "b", "\n\x0asession.id", ":\x0d\n\x07room_id\x12\x02", "9", "x" * 130]
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["session.id", "room_id", "job_id", "topic"]), TEXTS)


@st.composite
def points(draw: st.DrawFn) -> Any:
    point = metrics_pb2.NumberDataPoint(
        start_time_unix_nano=draw(st.sampled_from([0, 5]) | TIMES),
        time_unix_nano=draw(TIMES),
        flags=draw(st.sampled_from([0, 0, 1, 2, 3])),
        **draw(VALUES),
    )
    for key, text in draw(ATTRIBUTES).items():
        point.attributes.add(key=key).value.string_value = text
    if not draw(st.integers(0, 3)):
        point.exemplars.add(time_unix_nano=7, as_double=1.5)
    return point


def fields_of(point: Message) -> list[bytes]:
    """Return the bytes of each field of a point."""
    made = []
    for field, value in point.ListFields():
        for each in value if field.name in ("attributes", "exemplars") else [value]:
            alone = metrics_pb2.NumberDataPoint()
            if field.name in ("attributes", "exemplars"):
                getattr(alone, field.name).append(each)
            else:
                setattr(alone, field.name, each)
            made.append(alone.SerializeToString())
    return made


def body_of_points(encoded: list[bytes]) -> bytes:
    """Return a request of one delta sum, with points that are encoded already."""
    data = b"".join(b"\x0a" + _varint(len(each)) + each for each in encoded)
    data += metrics_pb2.Sum(
        aggregation_temporality=metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
    ).SerializeToString()
    metric = metrics_pb2.Metric(name="m").SerializeToString()
    metric += b"\x3a" + _varint(len(data)) + data
    scope = b"\x12" + _varint(len(metric)) + metric
    resource = b"\x12" + _varint(len(scope)) + scope
    return b"\x0a" + _varint(len(resource)) + resource


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def expected(given: list[Any]) -> list[tuple[int, int, float, str, dict[str, str]]]:
    found = []
    for point in given:
        kind = point.WhichOneof("value")
        start_ns, time_ns = point.start_time_unix_nano, point.time_unix_nano
        if point.flags & 1 or kind is None or max(start_ns, time_ns) >= 2**63:
            continue
        texts = {each.key: each.value.string_value for each in point.attributes}
        session = texts.get("room_id") or texts.get("session.id") or ""
        labels = {"topic": texts["topic"]} if texts.get("topic") else {}
        found.append((start_ns, time_ns, float(getattr(point, kind)), session, labels))
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(points(), max_size=6),
    st.sampled_from(["in order", "shuffled", "mixed"]),
    # Many are read in another way than few.
    st.sampled_from([1, 30]),
)
def test_points_are_what_protobuf_says(given: list[Any], order: str, times: int) -> None:
    given = given * times
    chosen = random.Random(len(given))
    encoded = []
    for number, point in enumerate(given):
        fields = fields_of(point)
        if order == "shuffled" or (order == "mixed" and number == len(given) - 1):
            chosen.shuffle(fields)
        encoded.append(b"".join(fields))
    batch = batch_of(body_of_points(encoded))
    found = [
        (start_ns, time_ns, value, session, dict(batch.label_sets[labels]))
        for start_ns, time_ns, value, session, labels in zip(
            batch.starts_ns,
            batch.times_ns,
            batch.values,
            batch.session_ids,
            batch.label_set_indexes,
            strict=True,
        )
    ]
    wanted = expected(given)
    assert list(map(repr, found)) == list(map(repr, wanted))
    counted = [point for point in given if not point.flags & 1]
    assert len(batch.rejected) == len(counted) - len(wanted)
    assert {each.reason for each in batch.rejected} <= {Reason.VALUE, Reason.TIME}


@pytest.mark.parametrize("keys", [("topic", "session.id"), ("session.id", "topic", "job_id")])
@pytest.mark.parametrize("length", [9, 11, 13, 20, 30, 60])
def test_a_text_that_looks_like_a_session_stays_a_text(keys: tuple[str, ...], length: int) -> None:
    # The attribute that is looked for would end in the text, with it, or behind it.
    forged = f":{chr(length)}\n\x07room_id\x12\x02\n\x00"
    made = []
    for number in range(6):
        point = metrics_pb2.NumberDataPoint(start_time_unix_nano=5, time_unix_nano=7, as_double=1)
        for key in keys:
            text = forged if key == "topic" else f"{key} {number // 2}"
            point.attributes.add(key=key).value.string_value = text
        made.append(point)
    batch = batch_of(body_of_points([point.SerializeToString() for point in made]))
    assert batch.session_ids == [session for *_, session, _ in expected(made)]
    assert [dict(each) for each in batch.label_sets] == [{"topic": forged}]


def test_what_lies_behind_the_numbers_can_say_them_again() -> None:
    first = metrics_pb2.NumberDataPoint(start_time_unix_nano=5, time_unix_nano=7, as_double=1)
    again = metrics_pb2.NumberDataPoint(time_unix_nano=9, as_int=3)
    encoded = first.SerializeToString() + again.SerializeToString()
    batch = batch_of(body_of_points([encoded]))
    # The last one of a field counts.
    assert (batch.starts_ns, batch.times_ns, batch.values) == ([5], [9], [3.0])


@pytest.mark.parametrize("broken", [b"\x3a\xff", b"\x07", b"\x3a\x03\x0a\x05a"])
def test_what_is_no_point_makes_no_request(broken: bytes) -> None:
    point = metrics_pb2.NumberDataPoint(start_time_unix_nano=5, time_unix_nano=7, as_double=1)
    for encoded in (broken, point.SerializeToString() + broken):
        with pytest.raises(InvalidArgument):
            batch_of(body_of_points([point.SerializeToString(), encoded]))


def test_an_attribute_can_name_the_agent_though_it_is_dropped_or_a_session() -> None:
    own = AttributeMapping(agent=("job_id", "room_id"), dropped=("job_id",), session=("room_id",))
    point = metrics_pb2.NumberDataPoint(time_unix_nano=7, as_double=math.pi)
    for key in ("job_id", "room_id"):
        point.attributes.add(key=key).value.string_value = f"of {key}"
    batch = batch_of(body_of_points([point.SerializeToString()]), mapping=own)
    assert batch.label_sets == [(("agent_id", "of job_id"),)]
    assert batch.session_ids == ["of room_id"]
