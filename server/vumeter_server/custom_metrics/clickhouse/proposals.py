"""What callers want appended to the log of an organization."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vumeter_server.custom_metrics.clickhouse.admission import Draft
from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog
from vumeter_server.custom_metrics.clickhouse.conditions import Moment
from vumeter_server.custom_metrics.clickhouse.rows import NewEntry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EarlierRecording:
    """An idempotency key that was used: the hash of the content, in hex, and the answer."""

    content_sha256: str
    recorded: int


@dataclass(slots=True)
class Found:
    """What is stored of what proposals ask about: keys, and states of series by unit."""

    keys: dict[str, EarlierRecording] = field(default_factory=dict)
    series_states: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a proposal would be appended."""

    draft: Draft
    catalog: MetricCatalog
    found: Found
    seq: int


@dataclass(kw_only=True, slots=True, eq=False)
class Proposal(Generic[T]):
    """What a caller wants appended.

    Attributes:
        propose: adds it to an entry and returns the answer, or raises and adds nothing. It is
            called again where another server was first.
        keys, units: the idempotency keys and units of series whose states it has to know.
        points: how many points it is about.
        is_alone: whether it needs an entry of its own.
        prepare: asks what it has to know of the moment before the entry.
    """

    propose: Callable[[Place, NewEntry], T]
    keys: Sequence[str] = ()
    units: Sequence[str] = ()
    points: int = 0
    is_alone: bool = False
    prepare: Callable[[Moment], Awaitable[None]] | None = None
