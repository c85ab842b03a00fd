"""Attributes as exporters send them, mapped once and then cached.

An exporter sends the same attributes again and again, so nearly all were seen before: they are
known by their bytes. Those that name the session, and those that are dropped by their key, such as
the id of a job, are taken out of them first, since every call has others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from vumeter_server.custom_metrics.exported import SERIES_BYTES
from vumeter_server.custom_metrics.labels import MAX_ID
from vumeter_server.otlp.attributes import Value, cut, text_of
from vumeter_server.otlp.cutting import Cutter
from vumeter_server.otlp.mapping import AttributeMapping, Attributes, MappedLabels, map_attributes
from vumeter_server.otlp.number_points import read_rest, read_rest_in_pieces

NO_RECORDED_VALUE: Final = 1
"""The flag of a point that says only that there is none."""

# The size of the cache of label sets and of that of points, in about bytes each: room for some
# 40,000 label sets and 80,000 points.
MAX_BYTES: Final = 50_000_000
_OBJECT_BYTES: Final = 60
_ENTRY_BYTES: Final = 1_000
_POINT_BYTES: Final = 400

ReadAttribute = Callable[[bytes], tuple[str, Value]]
ReadAttributes = Callable[[bytes], Attributes]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KnownAttributes:
    """What attributes became, but for those that are apart; `digest` identifies them."""

    labels: MappedLabels
    digest: bytes


@dataclass(slots=True, eq=False)
class KnownPoint:
    """What all attributes of a point became, and its flags.

    Attributes:
        attributes: most of them.
        apart: those that every call has another of, as they came.
        session_id: "" for none.
        is_empty: whether a point with these flags says only that there is no value.
    """

    attributes: KnownAttributes
    apart: Sequence[bytes]
    session_id: str
    is_empty: bool
    _series: bytes = b""

    @property
    def series(self) -> bytes:
        """Identifies the series among those of its metric and exporter."""
        if not self._series:
            self._series = self.attributes.digest
            if self.apart:
                whole = self._series + b"".join(sorted(self.apart))
                self._series = hashlib.blake2b(whole, digest_size=SERIES_BYTES).digest()
        return self._series


@dataclass(kw_only=True, slots=True, eq=False)
class Exporter:
    """A resource and a scope, under one mapping.

    Attributes:
        stream: 16 bytes that identify it.
        session_keys: what an attribute that may name a session begins with, by priority.
        apart_keys: the same of all attributes that are not looked up with the others.
        cutter: cuts those out.
        known: label sets by those others.
        points: what all attributes became, by what comes behind the numbers of a point.
        pieces: what the attributes became that are left when those are cut out, by what is left.
        histograms: what all attributes of a histogram became, by its flags and them.
        sessions: what attributes name.
        attributes: key and value of attributes.
    """

    mapping: AttributeMapping
    resource: Attributes
    scope: Attributes
    stream: bytes
    session_keys: tuple[bytes, ...]
    apart_keys: tuple[bytes, ...]
    cutter: Cutter
    known: dict[tuple[bytes, ...], KnownAttributes] = field(default_factory=dict)
    points: dict[bytes, KnownPoint] = field(default_factory=dict)
    pieces: dict[tuple[bytes, ...], KnownPoint] = field(default_factory=dict)
    histograms: dict[tuple[int, tuple[bytes, ...]], KnownPoint] = field(default_factory=dict)
    sessions: dict[bytes, str] = field(default_factory=dict)
    attributes: dict[bytes, tuple[str, Value]] = field(default_factory=dict)

    def split(self, attributes: Sequence[bytes]) -> tuple[tuple[bytes, ...], Sequence[bytes]]:
        """Return the attributes that come again and again, and the others."""
        keys = self.apart_keys
        others: list[bytes] = []
        apart: list[bytes] = []
        for each in attributes:
            (apart if each.startswith(keys) else others).append(each)
        return tuple(others), apart


class KnownExporters:
    """Finds exporters and the labels of their attributes, in any thread."""

    def __init__(
        self,
        read_attribute: ReadAttribute,
        read_resource: ReadAttributes,
        read_scope: ReadAttributes,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._read_attribute = read_attribute
        self._read_resource = read_resource
        self._read_scope = read_scope
        self._exporters: dict[tuple[AttributeMapping, bytes, bytes], Exporter] = {}
        self._max_bytes = max_bytes
        self._bytes = 0
        self._bytes_of_points = 0

    def exporter(self, mapping: AttributeMapping, resource: bytes, scope: bytes) -> Exporter:
        """Return who sends a resource and a scope."""
        key = (mapping, resource, scope)
        found = self._exporters.get(key)
        if found is None:
            digest = hashlib.blake2b(digest_size=SERIES_BYTES)
            for part in (resource, scope):
                digest.update(len(part).to_bytes(4, "little"))
                digest.update(part)
            apart_keys = tuple(map(key_prefix, _apart(mapping)))
            found = Exporter(
                mapping=mapping,
                resource=self._read_resource(resource),
                scope=self._read_scope(scope),
                stream=digest.digest(),
                session_keys=tuple(map(key_prefix, mapping.session)),
                apart_keys=apart_keys,
                cutter=Cutter(apart_keys),
            )
            self._make_room(len(resource) + len(scope) + _ENTRY_BYTES)
            self._exporters[key] = found
        return found

    def point(self, exporter: Exporter, rest: bytes) -> KnownPoint:
        """Return what is behind the numbers of a point; see `number_points.read_rest`."""
        found = exporter.points.get(rest)
        if found is None:
            found = self._cut_point(exporter, rest)
            if found is None:
                attributes, flags = read_rest(rest)
                found = self.of_attributes(exporter, attributes, flags)
            self._make_room_for_point(len(rest) + _POINT_BYTES)
            exporter.points[rest] = found
        return found

    def _cut_point(self, exporter: Exporter, rest: bytes) -> KnownPoint | None:
        """Return what is behind the numbers of a point, read in pieces; None if it cannot be."""
        pieces, apart = exporter.cutter.cut(rest)
        if not apart:
            return None
        left = exporter.pieces.get(pieces)
        if left is None:
            read = read_rest_in_pieces(pieces)
            if read is None:
                return None
            left = self.of_attributes(exporter, *read)
            self._make_room_for_point(len(rest) + _POINT_BYTES)
            exporter.pieces[pieces] = left
        if left.apart:
            # Attributes that the cutter does not find.
            return None
        session = exporter.sessions.get(apart[0]) if len(apart) == 1 else None
        if session is None:
            session = self._session(exporter, apart)
        return KnownPoint(left.attributes, apart, session or left.session_id, left.is_empty)

    def of_histogram(
        self, exporter: Exporter, attributes: Iterable[bytes], flags: int
    ) -> KnownPoint:
        """Return what the attributes and flags of a histogram became."""
        given = tuple(attributes)
        key = (flags, given)
        found = exporter.histograms.get(key)
        if found is None:
            found = self.of_attributes(exporter, given, flags)
            self._make_room_for_point(sum(map(len, given)) + _POINT_BYTES)
            exporter.histograms[key] = found
        return found

    def of_attributes(
        self, exporter: Exporter, attributes: Sequence[bytes], flags: int
    ) -> KnownPoint:
        """Return what attributes became."""
        others, apart = exporter.split(attributes)
        known = exporter.known.get(others) or self._labels(exporter, others)
        session = known.labels.session_id
        if apart:
            session = self._session(exporter, apart) or session
        return KnownPoint(known, apart, session, bool(flags & NO_RECORDED_VALUE))

    def _labels(self, exporter: Exporter, attributes: tuple[bytes, ...]) -> KnownAttributes:
        known = exporter.attributes
        point = dict([known.get(each) or self._attribute(exporter, each) for each in attributes])
        digest = hashlib.blake2b(digest_size=SERIES_BYTES)
        for each in sorted(attributes):
            digest.update(len(each).to_bytes(4, "little"))
            digest.update(each)
        found = KnownAttributes(
            labels=map_attributes(exporter.mapping, point, exporter.scope, exporter.resource),
            digest=digest.digest(),
        )
        self._make_room(_ENTRY_BYTES + sum(len(each) + _OBJECT_BYTES for each in attributes))
        exporter.known[attributes] = found
        return found

    def _attribute(self, exporter: Exporter, attribute: bytes) -> tuple[str, Value]:
        found = exporter.attributes[attribute] = self._read_attribute(attribute)
        self._make_room_for_point(2 * len(attribute) + _ENTRY_BYTES)
        return found

    def _session(self, exporter: Exporter, apart: Sequence[bytes]) -> str:
        """Return the session that the first key with a value names; "" if none does."""
        for key in exporter.session_keys:
            for attribute in apart:
                if attribute.startswith(key):
                    session = exporter.sessions.get(attribute)
                    if session is None:
                        _, value = self._read_attribute(attribute)
                        session = exporter.sessions[attribute] = cut(text_of(value), MAX_ID)
                        self._make_room_for_point(len(attribute) + len(session) + _OBJECT_BYTES)
                    if session:
                        return session
        return ""

    def _make_room(self, added_bytes: int) -> None:
        """Forget everything if there would be too much."""
        self._bytes += added_bytes
        if self._bytes > self._max_bytes:
            self._exporters.clear()
            self._bytes = added_bytes
            self._bytes_of_points = 0

    def _make_room_for_point(self, added_bytes: int) -> None:
        """Forget the points if there would be too many: every call brings others."""
        self._bytes_of_points += added_bytes
        if self._bytes_of_points > self._max_bytes:
            for exporter in list(self._exporters.values()):
                exporter.points.clear()
                exporter.pieces.clear()
                exporter.histograms.clear()
                exporter.sessions.clear()
                exporter.attributes.clear()
            self._bytes_of_points = added_bytes


def _apart(mapping: AttributeMapping) -> list[str]:
    """Return the keys of attributes that are no labels, but for what names agents as well."""
    dropped = [key for key in mapping.dropped if not key.endswith("*")]
    return [
        key
        for key in (*mapping.session, *dropped)
        if key not in mapping.agent and key not in mapping.environment
    ]


def key_prefix(key: str) -> bytes:
    """Return what the bytes of an attribute with this key begin with: field 1, length, text."""
    data = key.encode()
    return b"\x0a" + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
