"""Label sets as callers give them, checked once and then cached.

An organization has few label sets for the points that it records, so nearly every set was seen
before. APIs therefore bring labels as keys, which are cheap to make and to compare, such as the
bytes in which they came. Only a key that is not cached is parsed, and only tags that are not cached
are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from vumeter_server.custom_metrics.labels import (
    MAX_ID,
    MAX_LABEL_NAME,
    RESERVED_LABELS,
    is_label_name,
    quote,
)
from vumeter_server.custom_metrics.model import LabelSet
from vumeter_server.custom_metrics.violations import Findings

MAX_TAGS: Final = 32
MAX_TAG_VALUE: Final = 256
# The size of the cache of one API, in about bytes: room for 150,000 usual label sets.
MAX_BYTES: Final = 50_000_000
# What an object takes beside its characters.
OBJECT_BYTES: Final = 60
POINTER_BYTES: Final = 8

K = TypeVar("K", bound=Hashable)
Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class UncheckedLabels:
    """The labels of some points as a caller gives them; "" is an id that was not given."""

    agent_id: str
    environment_id: str
    tags: Mapping[str, str]


class KnownLabelSets(Generic[K]):
    """Finds label sets by the keys of an API, in any thread; two may at worst do the same work.

    Attributes:
        split: makes a key into agent, environment and, as the API has them, the tags.
        read: makes one of these tags into its name and value.
    """

    def __init__(self, split: Callable[[K], tuple[Any, ...]], read: Callable[[Any], Pair]) -> None:
        self.split = split
        self.read = read
        self._known: dict[K, LabelSet] = {}
        # Valid tags as the API has them, and what they mean: one object that all label sets share.
        self._tags: dict[Hashable, Pair] = {}
        self._ids: dict[Pair, Pair] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, keys: Sequence[K]) -> list[LabelSet | None]:
        """Return the label set of each key, None for labels that break a rule."""
        found: list[LabelSet | None] = list(map(self._known.get, keys))
        if None in found:
            for index, known in enumerate(found):
                if known is None:
                    found[index] = self._add(keys[index])
        return found

    def labels(self, key: K) -> UncheckedLabels:
        """Return what a key stands for."""
        agent_id, environment_id, *tags = self.split(key)
        return UncheckedLabels(
            agent_id=agent_id, environment_id=environment_id, tags=dict(map(self.read, tags))
        )

    def _add(self, key: K) -> LabelSet | None:
        agent_id, environment_id, *tags = self.split(key)
        added_bytes = _size(key)
        pairs = [known for tag in tags if (known := self._tags.get(tag)) is not None]
        # A tag that is not known or given twice, and very many of them, take a close look.
        if len({name for name, _ in pairs}) < len(tags) or len(tags) > MAX_TAGS:
            labels = self.labels(key)
            if _is_wrong(labels):
                return None
            checked: dict[str, Pair] = {}
            for tag in tags:
                name, value = self.read(tag)
                # Of a tag that is given twice the last was checked alone.
                if labels.tags[name] != value:
                    continue
                pair = self._tags.get(tag)
                if pair is None:
                    pair = self._tags[tag] = (name, value)
                    added_bytes += _size(tag) + _size(pair)
                checked[name] = pair
            pairs = list(checked.values())
        elif _is_wrong_id(agent_id) or _is_wrong_id(environment_id):
            return None
        for of_id in (("agent_id", agent_id), ("environment_id", environment_id)):
            pair = self._ids.get(of_id)
            if pair is None:
                pair = self._ids[of_id] = of_id
                added_bytes += _size(pair)
            pairs.append(pair)
        label_set = tuple(sorted(pair for pair in pairs if pair[1]))
        self._make_room(added_bytes + OBJECT_BYTES + POINTER_BYTES * len(label_set))
        self._known[key] = label_set
        return label_set

    def _make_room(self, added_bytes: int) -> None:
        """Forget everything if there would be too much."""
        self._bytes += added_bytes
        if self._bytes > MAX_BYTES:
            self._known.clear()
            self._tags.clear()
            self._ids.clear()
            self._bytes = added_bytes


def _size(part: Any) -> int:
    """Return about how many bytes texts, bytes or nested tuples of them take."""
    return OBJECT_BYTES + (sum(map(_size, part)) if isinstance(part, tuple) else len(part))


def _is_wrong(labels: UncheckedLabels) -> bool:
    findings = Findings()
    check_ids(labels, 0, findings)
    check_tags(labels, 0, findings)
    return bool(findings)


def _is_wrong_id(text: str) -> bool:
    return len(text) > MAX_ID or not is_unicode(text)


def check_ids(labels: UncheckedLabels, index: int, findings: Findings) -> None:
    """Note what is wrong with the ids of labels, as those of element `index`."""
    for attribute in ("agent_id", "environment_id"):
        check_id(getattr(labels, attribute), index, attribute, findings)


def check_id(text: str, index: int, attribute: str, findings: Findings) -> None:
    """Note it if an id is too long or cannot be encoded."""
    if _is_wrong_id(text):
        findings.add(index, attribute, f"must be text of at most {MAX_ID} characters")


def check_tags(labels: UncheckedLabels, index: int, findings: Findings) -> None:
    """Note what is wrong with the tags of labels, as those of element `index`."""
    tags = labels.tags
    if len(tags) > MAX_TAGS and sum(map(bool, tags.values())) > MAX_TAGS:
        findings.add(index, "tags", f"must hold at most {MAX_TAGS} labels")
    for name, value in tags.items():
        if not is_label_name(name):
            problem = f"must match [a-zA-Z_][a-zA-Z0-9_]* in at most {MAX_LABEL_NAME} characters"
            findings.add(index, f"tags[{quote(name)}]", f"{problem}: it is no label name")
        elif name in RESERVED_LABELS:
            findings.add(index, f"tags.{name}", "must not be used: the name is reserved")
        elif len(value) > MAX_TAG_VALUE or not is_unicode(value):
            problem = f"must be text of at most {MAX_TAG_VALUE} characters"
            findings.add(index, f"tags.{name}", problem)


def is_unicode(text: str) -> bool:
    """Whether the text can be encoded: a lone surrogate cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def note_wrong(
    label_sets: KnownLabelSets[K],
    keys: Iterable[K],
    check: Callable[[UncheckedLabels, int, Findings], None],
    findings: Findings,
) -> None:
    """Note what is wrong with the labels of each key, by its position."""
    for index, key in enumerate(keys):
        if not findings.wants(index):
            break
        check(label_sets.labels(key), index, findings)
