"""Recorded points: the rules that a batch alone is held to before anything is stored.

Both faces bring their points as columns, and `validate` makes a batch of them. What depends on the
metrics that an organization already has comes later, in `batch.settle`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.batch import ABSENT_TIME, Batch, LabelSet, MetricType
from vumeter_server.custom_metrics.findings import Findings
from vumeter_server.custom_metrics.labels import (
    MAX_ID,
    MAX_LABEL_NAME,
    MAX_METRIC_NAME,
    RESERVED_LABELS,
    is_label_name,
    is_metric_name,
    quote,
)
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.rfc3339 import TIMESTAMP_PROBLEM, read_rfc3339
from vumeter_server.times.units import MINUTE_US

MAX_POINTS: Final = 10_000
MAX_VALUE: Final = 1e15
MAX_TAGS: Final = 32
MAX_TAG_VALUE: Final = 256
MAX_IDEMPOTENCY_KEY: Final = 128
MAX_AHEAD_US: Final = 10 * MINUTE_US

METRIC_TYPES: Final = tuple(each.name.lower() for each in MetricType)
_TYPE_CODES: Final[Mapping[str | None, int]] = {
    None: 0,
    **{each.name.lower(): int(each) for each in MetricType},
}
NAME_PROBLEM: Final = (
    f"must match [a-zA-Z_][a-zA-Z0-9_.:]* and have at most {MAX_METRIC_NAME} characters"
)
K = TypeVar("K", str, tuple[str, str, int])


class RecordedPoint(Protocol):
    """A point as a face brings it; an attribute that was not given is None."""

    @property
    def name(self) -> str:
        """Name of the metric."""

    @property
    def type(self) -> str | None:
        """Type of the metric: `counter`, `gauge` or `histogram`."""

    @property
    def value(self) -> float | None:
        """What was measured or counted."""

    @property
    def timestamp(self) -> str | None:
        """When, as an RFC 3339 time with an offset."""

    @property
    def agent_id(self) -> str | None:
        """The agent that recorded it."""

    @property
    def environment_id(self) -> str | None:
        """The environment in which it did."""

    @property
    def session_id(self) -> str | None:
        """The session during which it did."""

    @property
    def tags(self) -> Mapping[str, str] | None:
        """User labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PointColumns:
    """The points of a call, unchecked, an attribute a column; None is what was not given.

    Timestamps are microseconds since the epoch, or RFC 3339 text that `validate` reads.
    """

    names: Sequence[str]
    types: Sequence[str | None]
    values: Sequence[float | None]
    timestamps: Sequence[int | str | None]
    agent_ids: Sequence[str | None]
    environment_ids: Sequence[str | None]
    session_ids: Sequence[str | None]
    tags: Sequence[Mapping[str, str] | None]

    @classmethod
    def of(cls, points: Sequence[RecordedPoint]) -> Self:
        """Lay out points as columns."""
        return cls(
            names=[point.name for point in points],
            types=[point.type for point in points],
            values=[point.value for point in points],
            timestamps=[point.timestamp for point in points],
            agent_ids=[point.agent_id for point in points],
            environment_ids=[point.environment_id for point in points],
            session_ids=[point.session_id for point in points],
            tags=[point.tags for point in points],
        )


def validate(columns: PointColumns, now_us: int) -> Batch:
    """Check the points of a call; an empty call is a batch without points.

    Raises InvalidArgument with up to ten violations that name `points[3].value` and the like.
    """
    if len(columns.names) > MAX_POINTS:
        raise InvalidArgument.of("points", f"must be at most {MAX_POINTS:,} a call")
    findings = Findings()
    check_names(columns.names, findings)
    _check_types(columns.types, findings)
    _check_values(columns.values, columns.types, findings)
    timestamps_us = _read_timestamps(columns.timestamps, now_us, findings)
    ids = [
        read_ids(column, attribute, findings)
        for attribute, column in (
            ("agent_id", columns.agent_ids),
            ("environment_id", columns.environment_ids),
            ("session_id", columns.session_ids),
        )
    ]
    tag_sets, tag_set_indexes = _read_tags(columns.tags, findings)
    findings.raise_any()
    agent_ids, environment_ids, session_ids = ids
    names, name_indexes = _number(columns.names)
    combinations, label_set_indexes = _number(
        list(zip(agent_ids, environment_ids, tag_set_indexes, strict=True))
    )
    sessions, session_indexes = _number(session_ids)
    if "" in sessions:
        sessions, session_indexes = _without_empty(sessions, session_indexes)
    return Batch(
        names=names,
        name_indexes=name_indexes,
        types=np.array([_TYPE_CODES[each] for each in columns.types], np.uint8),
        # Adding 0.0 turns -0.0 into 0.0; None becomes NaN.
        values=np.array(columns.values, np.float64) + 0.0,
        times_us=np.array(
            [ABSENT_TIME if each is None else each for each in timestamps_us], np.int64
        ),
        label_sets=[
            with_ids(agent_id, environment_id, tag_sets[index])
            for agent_id, environment_id, index in combinations
        ],
        label_set_indexes=label_set_indexes,
        sessions=sessions,
        session_indexes=session_indexes,
    )


def _number(items: Sequence[K]) -> tuple[list[K], npt.NDArray[np.int32]]:
    """Return the distinct items in order of first use, and the index of each."""
    numbers: dict[K, int] = {}
    for item in items:
        if item not in numbers:
            numbers[item] = len(numbers)
    indexes = np.fromiter(map(numbers.__getitem__, items), np.int32, len(items))
    return list(numbers), indexes


def _without_empty(
    texts: list[str], indexes: npt.NDArray[np.int32]
) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Take "" out of numbered texts: its index becomes -1."""
    empty = texts.index("")
    renumbered = np.arange(len(texts), dtype=np.int32)
    renumbered[empty:] -= 1
    renumbered[empty] = -1
    return texts[:empty] + texts[empty + 1 :], renumbered[indexes]


def with_ids(agent_id: str, environment_id: str, tags: LabelSet) -> LabelSet:
    """Return the labels of a point, system labels among them, sorted by key."""
    if not agent_id and not environment_id:
        return tags
    ids = [("agent_id", agent_id)] if agent_id else []
    if environment_id:
        ids.append(("environment_id", environment_id))
    return tuple(sorted([*ids, *tags]))


def check_idempotency_key(key: str | None, field: str = "idempotency_key") -> str | None:
    """Return the key of a call, None if absent or ""; at most 128 characters."""
    if not key:
        return None
    if len(key) > MAX_IDEMPOTENCY_KEY:
        raise InvalidArgument.of(field, f"must have at most {MAX_IDEMPOTENCY_KEY} characters")
    return key


def check_names(names: Sequence[str], findings: Findings) -> None:
    wrong = {name for name in set(names) if not is_metric_name(name)}
    if wrong:
        findings.add_each(
            (index for index, name in enumerate(names) if name in wrong),
            "name",
            NAME_PROBLEM,
        )


def _check_types(types: Sequence[str | None], findings: Findings) -> None:
    if not _TYPE_CODES.keys() >= set(types):
        findings.add_each(
            (index for index, each in enumerate(types) if each not in _TYPE_CODES),
            "type",
            "must be counter, gauge or histogram",
        )


def _check_values(
    values: Sequence[float | None], types: Sequence[str | None], findings: Findings
) -> None:
    unusual = [
        index
        for index, value in enumerate(values)
        # Written so that NaN, which compares as false, is among them.
        if value is None or not 0 <= value <= MAX_VALUE
    ]
    for index in unusual:
        value = values[index]
        if value is None:
            if types[index] in ("gauge", "histogram"):
                findings.add(index, "value", f"must be given for a {types[index]}")
        elif not abs(value) < float("inf"):
            findings.add(index, "value", "must be a finite number")
        elif abs(value) > MAX_VALUE:
            findings.add(index, "value", "must be from -1e15 to 1e15")
        elif types[index] == "counter":
            findings.add(index, "value", "must not be negative for a counter")


def _read_timestamps(
    timestamps: Sequence[int | str | None], now_us: int, findings: Findings
) -> list[int | None]:
    last_us = now_us + MAX_AHEAD_US
    read: list[int | None] = []
    for index, timestamp in enumerate(timestamps):
        instant = read_rfc3339(timestamp) if isinstance(timestamp, str) else timestamp
        read.append(instant)
        if instant is None:
            if timestamp is not None:
                findings.add(index, "timestamp", TIMESTAMP_PROBLEM)
        elif instant < 0:
            findings.add(index, "timestamp", "must not be before 1970")
        elif instant > last_us:
            findings.add(index, "timestamp", "must be at most 10 minutes ahead of the server")
    return read


def read_ids(ids: Sequence[str | None], attribute: str, findings: Findings) -> list[str]:
    read = [each or "" for each in ids]
    wrong = {each for each in set(read) if len(each) > MAX_ID or not is_unicode(each)}
    if wrong:
        findings.add_each(
            (index for index, each in enumerate(read) if each in wrong),
            attribute,
            f"must be text of at most {MAX_ID} characters",
        )
    return read


def _read_tags(
    tags: Sequence[Mapping[str, str] | None], findings: Findings
) -> tuple[list[LabelSet], list[int]]:
    """Return the distinct label sets, and the index of each point's own."""
    indexes: dict[LabelSet, int] = {}
    as_written: dict[LabelSet, int] = {}
    checked_names: set[str] = set()
    label_set_of = []
    for point, written in enumerate(tags):
        pairs = tuple(written.items()) if written else ()
        index = as_written.get(pairs)
        if index is None:
            if not findings.wants(point):
                break
            right = check_labels(pairs, point, checked_names, findings)
            label_set = tuple(sorted([pair for pair in pairs if pair[1]]))
            index = indexes.setdefault(label_set, len(indexes))
            if right:
                as_written[pairs] = index
        label_set_of.append(index)
    return list(indexes), label_set_of


def check_labels(pairs: LabelSet, point: int, checked_names: set[str], findings: Findings) -> bool:
    """Note what is wrong with the tags of a point, and return whether nothing is."""
    right = True
    if len(pairs) > MAX_TAGS and sum(1 for _, value in pairs if value) > MAX_TAGS:
        findings.add(point, "tags", f"must hold at most {MAX_TAGS} labels")
        right = False
    for name, value in pairs:
        if name not in checked_names:
            if not is_label_name(name):
                problem = (
                    f"must match [a-zA-Z_][a-zA-Z0-9_]* in at most {MAX_LABEL_NAME} characters"
                )
                findings.add(point, f"tags[{quote(name)}]", f"{problem}: it is no label name")
                right = False
                continue
            if name in RESERVED_LABELS:
                findings.add(point, f"tags.{name}", "must not be used: the name is reserved")
                right = False
                continue
            checked_names.add(name)
        if len(value) > MAX_TAG_VALUE or not (value.isascii() or is_unicode(value)):
            problem = f"must be text of at most {MAX_TAG_VALUE} characters"
            findings.add(point, f"tags.{name}", problem)
            right = False
    return right


def is_unicode(text: str) -> bool:
    """Whether the text can be encoded: a lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
