"""What is written into the table of points: points and rows of the log, as one block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vumeter_server.custom_metrics.clickhouse.catalog import AGENT
from vumeter_server.custom_metrics.clickhouse.changes import CatalogChange, encode_change
from vumeter_server.custom_metrics.distributions import joined
from vumeter_server.custom_metrics.model import LabelSet, Settled
from vumeter_server.custom_metrics.store import Idempotency

ENVIRONMENT: Final = "environment_id"
Indexes = npt.NDArray[np.integer]


class LogRowKind(IntEnum):
    """What a row is."""

    POINT = 0
    ENTRY = 1
    """An entry of the log: `payload` is what it changes, `number` is one of Hides."""
    KEY = 2
    """An idempotency key: `session` is the key, `payload` the hash of the content, `number` how
    many points were recorded."""
    SERIES_STATES = 3
    """The states of the series of an exporter's metric: `session` is their unit."""
    REJECTION = 4
    """Points of exporters that were rejected, or noted: `session` is why, `number` how many."""
    MAPPING = 5
    """How exporters' attributes are mapped: the last one counts."""


class Hides(IntEnum):
    """What an entry does to points that are there."""

    NOTHING = 0
    HIDES = 1
    """They are hidden."""
    REMOVES = 2
    """Hidden ones are removed from the table; entries of an earlier version say 0 for this."""

    @classmethod
    def of(cls, change: CatalogChange) -> Hides:
        """Return what an entry with this change does."""
        if change.hidden is not None:
            return cls.HIDES
        return cls.REMOVES if change.removed else cls.NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedKey:
    """An idempotency key that is about to be written, with the answer that is kept with it."""

    idempotency: Idempotency
    recorded: int
    now_us: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of the log; what its columns are says its kind."""

    kind: LogRowKind
    number: int
    text: str
    payload: bytes
    logged_us: int


@dataclass(kw_only=True, slots=True, eq=False)
class NewEntry:
    """An entry that is about to be written: what it changes, with batches in their order.

    `series_states` are by unit, with the time of the call that changed them; `rows` are others.
    """

    change: CatalogChange = field(default_factory=CatalogChange)
    batches: list[Settled] = field(default_factory=list)
    keys: list[RecordedKey] = field(default_factory=list)
    series_states: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    rows: list[LogRow] = field(default_factory=list)

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to write."""
        others = (self.batches, self.keys, self.series_states, self.rows)
        return bool(self.change) or any(others)


def block_of(organization_id: int, entry: NewEntry, *, seq: int, now_us: int) -> pa.Table:
    """Return an entry as a block, without the columns that `entry_log` adds."""
    log = _log_rows(entry, now_us)
    rows = len(log) + sum(len(settled.values) for settled in entry.batches)
    columns = {"organization": pa.array(np.full(rows, organization_id, np.int64))}
    _add_keys(columns, log, entry.batches, seq)
    _add_texts(columns, log, entry.batches)
    _add_values(columns, len(log), entry.batches)
    return pa.table(columns)


def _log_rows(entry: NewEntry, now_us: int) -> Sequence[LogRow]:
    return [
        LogRow(
            LogRowKind.ENTRY,
            int(Hides.of(entry.change)),
            "",
            encode_change(entry.change),
            now_us,
        ),
        *(
            LogRow(
                LogRowKind.KEY,
                each.recorded,
                each.idempotency.key,
                each.idempotency.content_sha256.hex().encode(),
                each.now_us,
            )
            for each in entry.keys
        ),
        *(
            LogRow(LogRowKind.SERIES_STATES, 0, unit, states.hex().encode(), changed_us)
            for unit, (states, changed_us) in entry.series_states.items()
        ),
        *entry.rows,
    ]


def _add_keys(
    columns: dict[str, pa.Array], log: Sequence[LogRow], batches: Sequence[Settled], seq: int
) -> None:
    """Add where rows are in the order of the table, and what they are."""
    metrics, indexes = [""], [np.zeros(len(log), np.int32)]
    for settled in batches:
        indexes.append(settled.batch.name_indexes + np.int32(len(metrics)))
        metrics += settled.batch.names
    times = [np.full(len(log), seq, np.int64), *(settled.times_us for settled in batches)]
    columns["metric"] = _texts(metrics, np.concatenate(indexes))
    columns["time_us"] = pa.array(np.concatenate(times))
    rows = len(columns["time_us"])
    numbers = np.arange(-len(log), rows - len(log)).astype(np.uint32)
    kinds, logged_us = np.zeros(rows, np.uint8), np.zeros(rows, np.int64)
    numbers[: len(log)] = [row.number for row in log]
    kinds[: len(log)] = [row.kind for row in log]
    logged_us[: len(log)] = [row.logged_us for row in log]
    columns["number"], columns["kind"] = pa.array(numbers), pa.array(kinds)
    columns["logged_us"] = pa.array(logged_us)


def _add_texts(
    columns: dict[str, pa.Array], log: Sequence[LogRow], batches: Sequence[Settled]
) -> None:
    """Add labels, sessions and what the log says."""
    texts, sessions = ["", *(row.text for row in log)], [np.arange(1, len(log) + 1)]
    label_sets: list[LabelSet] = [()]
    of_points: list[Indexes] = [np.zeros(len(log), np.int32)]
    for settled in batches:
        batch = settled.batch
        sessions.append(np.where(batch.session_indexes < 0, 0, batch.session_indexes + len(texts)))
        texts += batch.sessions
        of_points.append(batch.label_set_indexes + np.int32(len(label_sets)))
        label_sets += batch.label_sets
    indexes = np.concatenate(of_points)
    _add_labels(columns, label_sets, indexes)
    columns["session"] = _texts(texts, np.concatenate(sessions))
    payloads = pa.array([b"", *(row.payload for row in log)], pa.binary())
    of_rows = np.zeros(len(indexes), np.int32)
    of_rows[: len(log)] = np.arange(1, len(log) + 1)
    columns["payload"] = payloads.take(pa.array(of_rows))


def _add_values(columns: dict[str, pa.Array], log: int, batches: Sequence[Settled]) -> None:
    """Add values, and distributions where there are some."""
    values = [np.zeros(log), *(settled.values for settled in batches)]
    columns["value"] = pa.array(np.concatenate(values))
    parts = [(settled.batch.distributions, len(settled.values)) for settled in batches]
    rows = len(columns["value"])
    distributions = joined([(None, log), *parts])
    if distributions is None:
        columns["value_count"] = pa.array(np.ones(rows, np.uint64))
        return
    places = distributions.positions
    is_distribution, lengths = np.zeros(rows, np.uint8), np.zeros(rows, np.int64)
    is_distribution[places] = 1
    lengths[places] = np.diff(distributions.starts)
    columns["is_distribution"] = pa.array(is_distribution)
    columns["value_count"] = pa.array(distributions.value_counts(rows).astype(np.uint64))
    for name, numbers in (("minimum", distributions.minima), ("maximum", distributions.maxima)):
        column = np.zeros(rows)
        column[places] = numbers
        columns[name] = pa.array(column)
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    for name, bounds in (
        ("bucket_lower", distributions.lower),
        ("bucket_upper", distributions.upper),
        ("bucket_counts", distributions.weights.astype(np.uint64)),
    ):
        columns[name] = pa.ListArray.from_arrays(offsets, pa.array(bounds))


def _texts(texts: Sequence[str], indexes: Indexes) -> pa.Array:
    """Return a column of texts, given by the index of each row's."""
    return pa.array(texts, pa.string()).take(pa.array(indexes))


def _add_labels(
    columns: dict[str, pa.Array], label_sets: Sequence[LabelSet], indexes: Indexes
) -> None:
    """Add agents, environments and tags, given by the index of each row's label set."""
    lengths = np.fromiter(map(len, label_sets), np.int64, len(label_sets))
    codes: dict[tuple[str, str], int] = {}
    of_labels = np.array(
        [codes.setdefault(label, len(codes)) for label in chain.from_iterable(label_sets)], np.int64
    )
    of_sets = np.repeat(np.arange(len(label_sets)), lengths)
    keys, values = (pa.array([label[part] for label in codes], pa.string()) for part in (0, 1))
    is_tag = np.ones(len(of_labels), np.bool_)
    for name, key in (("agent", AGENT), ("environment", ENVIRONMENT)):
        is_id = np.array([label[0] == key for label in codes], np.bool_)[of_labels]
        is_tag &= ~is_id
        # The text behind the last one is "".
        of_set = np.full(len(label_sets), len(codes))
        of_set[of_sets[is_id]] = of_labels[is_id]
        texts = pa.array([*(value for _, value in codes), ""], pa.string())
        columns[name] = texts.take(pa.array(of_set[indexes]))
    ends = np.cumsum(np.bincount(of_sets[is_tag], minlength=len(label_sets)))
    of_tags = pa.array(of_labels[is_tag])
    maps = pa.MapArray.from_arrays(
        pa.array(np.concatenate(([0], ends)).astype(np.int32)),
        keys.take(of_tags),
        values.take(of_tags),
    )
    columns["tags"] = maps.take(pa.array(indexes))
