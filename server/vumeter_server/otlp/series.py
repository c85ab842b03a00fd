"""Attributes as exporters send them, mapped once and then cached.

An exporter sends the same attributes again and again, so nearly all were seen before: they are
known by their bytes. The attribute that names the session is taken out of them first, since every
call has another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from vumeter_server.custom_metrics.exported import SERIES_BYTES
from vumeter_server.custom_metrics.labels import MAX_ID
from vumeter_server.custom_metrics.model import LabelSet
from vumeter_server.otlp.attributes import Value, cut, text_of
from vumeter_server.otlp.mapping import AttributeMapping, Attributes, MappedLabels, map_attributes

# The size of the cache, in about bytes: room for 100,000 usual label sets.
MAX_BYTES: Final = 50_000_000
_OBJECT_BYTES: Final = 60
_ENTRY_BYTES: Final = 1_000

ReadAttribute = Callable[[bytes], tuple[str, Value]]
ReadAttributes = Callable[[bytes], Attributes]


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAttributes:
    """What the attributes of a point became; `digest` tells them apart from others."""

    labels: MappedLabels
    digest: bytes

    @property
    def label_set(self) -> LabelSet:
        """The labels without the session."""
        return self.labels.label_set


@dataclass(kw_only=True, slots=True, eq=False)
class Exporter:
    """A resource and a scope, under one mapping.

    Attributes:
        stream: 16 bytes that tell it apart.
        session_keys: what an attribute that may name a session begins with, by priority.
    """

    mapping: AttributeMapping
    resource: Attributes
    scope: Attributes
    stream: bytes
    session_keys: tuple[bytes, ...]
    known: dict[tuple[bytes, ...], KnownAttributes] = field(default_factory=dict)

    def split(self, attributes: Sequence[bytes]) -> tuple[tuple[bytes, ...], Sequence[bytes]]:
        """Return the attributes without those that may name a session, and these by priority."""
        keys = self.session_keys
        of_sessions = [each for each in attributes if each.startswith(keys)]
        if not of_sessions:
            return tuple(attributes), ()
        others = tuple(each for each in attributes if not each.startswith(keys))
        return others, [each for key in keys for each in of_sessions if each.startswith(key)]


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

    def exporter(self, mapping: AttributeMapping, resource: bytes, scope: bytes) -> Exporter:
        """Return who sends a resource and a scope."""
        key = (mapping, resource, scope)
        found = self._exporters.get(key)
        if found is None:
            digest = hashlib.blake2b(digest_size=SERIES_BYTES)
            for part in (resource, scope):
                digest.update(len(part).to_bytes(4, "little"))
                digest.update(part)
            found = Exporter(
                mapping=mapping,
                resource=self._read_resource(resource),
                scope=self._read_scope(scope),
                stream=digest.digest(),
                session_keys=tuple(map(key_prefix, mapping.session)),
            )
            self._make_room(len(resource) + len(scope) + _ENTRY_BYTES)
            self._exporters[key] = found
        return found

    def labels(self, exporter: Exporter, attributes: tuple[bytes, ...]) -> KnownAttributes:
        """Return what attributes without those of sessions became."""
        found = exporter.known.get(attributes)
        if found is None:
            point = dict(map(self._read_attribute, attributes))
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

    def session(self, candidates: Sequence[bytes]) -> str:
        """Return the session that the first attribute with a value names; "" if none does."""
        for attribute in candidates:
            _, value = self._read_attribute(attribute)
            text = text_of(value)
            if text:
                return cut(text, MAX_ID)
        return ""

    def _make_room(self, added_bytes: int) -> None:
        """Forget everything if there would be too much."""
        self._bytes += added_bytes
        if self._bytes > self._max_bytes:
            self._exporters.clear()
            self._bytes = added_bytes


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
