"""Export: the points of a copy in order of time, some at a time.

Days are read together as far as they have few points, and in spans of time where they have many, so
that what is in memory does not depend on how much is exported.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.distributions import joined as join_distributions
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import ExportedPoints, ExportQuery
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    DAY_US,
    DISTRIBUTION_KIND,
    Array,
    Kind,
    decode,
)
from vumeter_server.custom_metrics.sqlite.formats.distributions import decode_distributions
from vumeter_server.custom_metrics.sqlite.formats.segments import columns_do_not_fit
from vumeter_server.custom_metrics.sqlite.ingest.interning import numbered
from vumeter_server.custom_metrics.sqlite.query.export_copy import (
    ColumnKey,
    CopiedPoints,
    ExportCopy,
    HeadOfExport,
)
from vumeter_server.custom_metrics.sqlite.query.export_labels import LabelSetsOfExport
from vumeter_server.custom_metrics.sqlite.query.export_spans import ExportSpan, spans
from vumeter_server.custom_metrics.validation import MAX_POINTS
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite import Readers, check_cancelled
from vumeter_server.sqlite.library import sqlite3

Integers = npt.NDArray[np.int64]


def metrics_of(snapshot: Snapshot, query: ExportQuery) -> list[int]:
    """Return the interned ids of the metrics that a query is about, in the order of their names."""
    known = snapshot.metrics
    if query.metric_names is None:
        return list(known.codes_by_name)
    names = sorted(set(query.metric_names) & known.codes.keys())
    return [known.codes[name] for name in names]


async def export(
    readers: Readers, cache: OrganizationCache, query: ExportQuery
) -> AsyncGenerator[ExportedPoints, None]:
    """Copy what a query is about, then yield it from there.

    Each step runs on a reader's thread, so that exports share these with other heavy queries.
    """
    copy = ExportCopy()

    def begin(connection: sqlite3.Connection) -> Iterator[ExportedPoints]:
        with copy:
            snapshot = cache.take(connection)
            metrics = metrics_of(snapshot, query)
            return ExportReader(copy.make(snapshot, query, metrics), query, metrics).batches()

    try:
        batches = await readers.run(begin, heavy=True)

        def follow(_: sqlite3.Connection) -> ExportedPoints | None:
            with copy:
                return next(batches, None)

        while (points := await readers.run(follow, heavy=True)) is not None:
            yield points
    finally:
        copy.close()


@dataclass(kw_only=True, slots=True, eq=False)
class _Pieces:
    """Points of a span as they are read, piece by piece."""

    metrics: list[Array] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    times_us: list[Array] = field(default_factory=list)
    label_sets: list[Array] = field(default_factory=list)
    sessions: list[Array] = field(default_factory=list)
    distributions: list[tuple[Distributions | None, int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Ordered:
    """Points in the order in which they are exported; sessions are -1 for none."""

    metrics: Array
    values: Array
    times_us: Array
    label_sets: Array
    sessions: Array
    distributions: Distributions | None

    def __len__(self) -> int:
        return len(self.values)


class ExportReader:
    """Makes batches of what was copied."""

    def __init__(self, copied: CopiedPoints, query: ExportQuery, metrics: Sequence[int]) -> None:
        self._copied = copied
        self._query = query
        self._rank = np.zeros(max(metrics, default=0) + 1, np.int64)
        self._rank[list(metrics)] = np.arange(len(metrics))
        self._session_names: dict[int, str] = {}
        self._label_sets = LabelSetsOfExport(copied.snapshot.labels)

    def batches(self) -> Iterator[ExportedPoints]:
        """Yield the points that the query is about."""
        skip, before = self._query.skip, 0
        all_spans = list(spans(self._copied))
        for span in all_spans:
            check_cancelled()
            points = self._read(span)
            count = 0 if points is None else len(points)
            for start in range(skip, count, MAX_POINTS):
                end = min(start + MAX_POINTS, count)
                read = before + (span.points_through - before) * end / count
                assert points is not None
                yield ExportedPoints(
                    batch=self._batch(points, start, end),
                    progress=read / all_spans[-1].points_through,
                )
            skip, before = max(skip - count, 0), span.points_through

    def _read(self, span: ExportSpan) -> _Ordered | None:
        """Return the points of a span that match, in order; None if there are none."""
        start_us = max(span.start_us, self._query.start_us)
        end_us = min(span.end_us, self._query.end_us)
        pieces = _Pieces()
        self._read_segments(pieces, start_us, end_us)
        _take_head(pieces, self._copied.head, start_us, end_us)
        if not pieces.values:
            return None
        metrics, times_us = np.concatenate(pieces.metrics), np.concatenate(pieces.times_us)
        # Of one metric and time they stay as they were recorded: by part, then in the head.
        order = np.lexsort((self._rank[metrics], times_us))
        distributions = join_distributions(pieces.distributions)
        return _Ordered(
            metrics=metrics[order],
            values=np.concatenate(pieces.values)[order],
            times_us=times_us[order],
            label_sets=np.concatenate(pieces.label_sets)[order],
            sessions=np.concatenate(pieces.sessions)[order],
            distributions=distributions and distributions.taken(order, len(order)),
        )

    def _read_segments(self, pieces: _Pieces, start_us: int, end_us: int) -> None:
        for key, blob in self._copied.copy.times(start_us // DAY_US, -(-end_us // DAY_US)):
            check_cancelled()
            times_us = decode(blob).astype(np.int64) + key[0] * DAY_US
            first, end = np.searchsorted(times_us, (start_us, end_us)).tolist()
            if first == end:
                continue
            label_sets = self._column(key, Kind.SERIES, len(times_us))[first:end]
            # They are written plus 1, so that none is 0.
            sessions = self._column(key, Kind.SESSION, len(times_us))[first:end].astype(np.int64)
            sessions -= 1
            mask = self._copied.matching.mask(label_sets, sessions)
            chosen = None if mask is None else np.flatnonzero(mask)
            if chosen is not None and not len(chosen):
                continue
            distributions = self._distributions(key, first, end)
            values = self._column(key, Kind.VALUE, len(times_us))[first:end]
            times_us = times_us[first:end]
            if chosen is not None:
                distributions = distributions and distributions.taken(chosen, end - first)
                values, times_us = values[chosen], times_us[chosen]
                label_sets, sessions = label_sets[chosen], sessions[chosen]
            pieces.metrics.append(np.full(len(values), key[1]))
            pieces.values.append(values)
            pieces.times_us.append(times_us)
            pieces.label_sets.append(label_sets)
            pieces.sessions.append(sessions)
            pieces.distributions.append((distributions, len(values)))

    def _column(self, key: ColumnKey, kind: Kind, points: int) -> Array:
        blob = self._copied.copy.column(key, kind)
        column = None if blob is None else decode(blob)
        if column is None or len(column) != points:
            raise columns_do_not_fit()
        return column

    def _distributions(self, key: ColumnKey, first: int, end: int) -> Distributions | None:
        blob = self._copied.copy.column(key, DISTRIBUTION_KIND)
        return None if blob is None else decode_distributions(blob).between(first, end)

    def _batch(self, points: _Ordered, start: int, end: int) -> Batch:
        snapshot = self._copied.snapshot
        chosen = slice(start, end)
        metrics, name_indexes = numbered(points.metrics[chosen])
        types = np.array([snapshot.metrics.types[code] for code in metrics.tolist()], np.uint8)
        label_sets, label_set_indexes = numbered(points.label_sets[chosen])
        sessions, session_indexes = numbered(points.sessions[chosen])
        is_without = bool(sessions[0] < 0)
        return Batch(
            names=[snapshot.metrics.names[code] for code in metrics.tolist()],
            name_indexes=name_indexes.astype(np.int32),
            types=types[name_indexes],
            values=points.values[chosen].astype(np.float64),
            times_us=points.times_us[chosen],
            label_sets=self._label_sets.named(label_sets),
            label_set_indexes=label_set_indexes.astype(np.int32),
            sessions=self._names_of(sessions[is_without:]),
            session_indexes=(session_indexes - is_without).astype(np.int32),
            distributions=points.distributions and points.distributions.between(start, end),
        )

    def _names_of(self, sessions: Integers) -> list[str]:
        """Return the names of sessions; those of the batch before are cached."""
        codes: list[int] = sessions.tolist()
        names = self._session_names
        missing = [code for code in codes if code not in names]
        names |= self._copied.copy.session_names(np.array(missing, np.int64))
        try:
            self._session_names = {code: names[code] for code in codes}
        except KeyError:
            raise StorageDamaged(detail="sessions: the session of a point is missing") from None
        return list(self._session_names.values())


def _take_head(pieces: _Pieces, head: HeadOfExport, start_us: int, end_us: int) -> None:
    first, end = np.searchsorted(head.times_us, (start_us, end_us)).tolist()
    if first == end:
        return
    pieces.metrics.append(head.metrics[first:end])
    pieces.values.append(head.values[first:end])
    pieces.times_us.append(head.times_us[first:end])
    pieces.label_sets.append(head.label_sets[first:end])
    pieces.sessions.append(head.sessions[first:end])
    of_head = head.distributions and head.distributions.between(first, end)
    pieces.distributions.append((of_head, end - first))
