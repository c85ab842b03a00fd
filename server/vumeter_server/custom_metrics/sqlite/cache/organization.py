"""What is kept in memory of one organization, brought up to date at each query.

Locks, in the order in which they are taken: the organization's lock or its lock of label rollups,
then those of its label tables, then that of the day segments.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.sqlite.cache.day_segments import (
    DaySegment,
    DaySegments,
    Owner,
    SegmentsOfView,
    read_segments,
)
from vumeter_server.custom_metrics.sqlite.cache.head import Head, HeadPoints
from vumeter_server.custom_metrics.sqlite.cache.label_index import UsedLabels
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube, PrefixSums, stacked
from vumeter_server.custom_metrics.sqlite.cache.ranges import Edges, Periods
from vumeter_server.custom_metrics.sqlite.cache.view import (
    InMemory,
    Metrics,
    Snapshot,
    View,
    with_transaction,
)
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, POINT
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State, read_state
from vumeter_server.custom_metrics.sqlite.rollups.by_label import LabelSums, LabelTotals
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, Totals
from vumeter_server.sqlite import check_cancelled

# So many points of the head are read together, which takes some ten times their room meanwhile.
POINTS_AT_ONCE = 65_536
# How many labels of one organization have their rollups cached.
MAX_LABEL_ROLLUPS = 4

_cache_numbers = itertools.count()


class OrganizationCache:
    """The head, the tables, the prefix sums and the segments of one organization."""

    def __init__(self, organization_id: int, segments: DaySegments) -> None:
        # Held while anything here but the label rollups is read or changed. The event loop holds it
        # for a whole query, whose own steps take it again.
        self._lock = threading.RLock()
        self.state = State(version=-1, deletions=-1)
        self._organization_id = organization_id
        self._metrics = Metrics({}, {}, {})
        self._labels = Labels()
        self._head = Head()
        self._prefix_sums = PrefixSums()
        self._segments = segments
        self._number = next(_cache_numbers)
        self._label_lock = threading.Lock()
        self._label_rollups: OrderedDict[str, LabelTotals] = OrderedDict()

    @property
    def weight(self) -> int:
        """How many entries of about 50 bytes are held, without the day segments."""
        entries = sum(map(len, self._label_rollups.values()))
        return self._labels.weight + len(self._head) + len(self._prefix_sums) // 2 + entries

    def take(self, connection: sqlite3.Connection) -> Snapshot:
        """Return the organization as `connection`'s read transaction sees it.

        If another thread has brought the cache further than that transaction sees, the transaction
        is begun again, so that it sees as much.
        """
        with self._lock:
            state = read_state(connection, self._organization_id)
            if state.version < self.state.version:
                connection.execute("COMMIT")
                connection.execute("BEGIN")
                state = read_state(connection, self._organization_id)
            if state.version > self.state.version:
                self._bring_up_to(connection, state)
            return Snapshot(
                organization_id=self._organization_id,
                state=self.state,
                metrics=self._metrics,
                labels=self._labels,
                head=self._head.points(),
                connection=connection,
            )

    @contextlib.contextmanager
    def held(self, version: int) -> Iterator[View]:
        """Give what is known, without waiting for another thread.

        If what is known is of `version`, the view says what is in memory, and the cache stays as it
        is until the end of the `with` block.
        """
        if not self._lock.acquire(blocking=False):
            yield self._view(None)
            return
        try:
            yield self._view(self._in_memory() if self.state.version == version else None)
        finally:
            self._lock.release()

    def _view(self, in_memory: InMemory | None) -> View:
        return View(
            organization_id=self._organization_id,
            state=self.state,
            metrics=self._metrics,
            labels=self._labels,
            head=self._head.points(),
            in_memory=in_memory,
        )

    def _in_memory(self) -> InMemory:
        return InMemory(
            metrics=self._prefix_sums.ready(),
            segments=self._segments_now(),
            head=self._head.counts,
        )

    def _segments_now(self) -> SegmentsOfView:
        return SegmentsOfView(self._segments, self._owner)

    @property
    def _owner(self) -> Owner:
        return Owner(self._number, self.state.layout)

    def used(self, view: View, metric_code: int | None, agent_code: int | None) -> UsedLabels:
        """Return what the points of a metric, of an agent, or of both use."""
        with self._lock:
            return self._labels.index.used(
                metric_code,
                agent_code,
                self._labels.name,
                view.metrics.names,
                view.state.deletions,
            )

    def label_sums(self, snapshot: Snapshot, key: str, first: int, end: int) -> LabelSums:
        """Return the sums of flushed days [first, end) by metric and value of a label."""
        with self._label_lock:
            if key not in self._label_rollups:
                self._label_rollups[key] = LabelTotals(snapshot.organization_id, key)
            self._label_rollups.move_to_end(key)
            if len(self._label_rollups) > MAX_LABEL_ROLLUPS:
                self._label_rollups.popitem(last=False)
            return self._label_rollups[key].read(snapshot.connection, first, end)

    def sums(self, view: View, codes: Sequence[int], periods: Periods) -> Cube:
        """Return the sums of metrics in some periods: whole rollup intervals and their edges.

        This is the one place where sums between two instants are made. What is not in memory is
        read, for which `view` has to be a snapshot.

        Args:
            view: what is summed.
            codes: interned ids of metrics, at least one.
            periods: the periods, as intervals and edges.

        Returns:
            float64[metrics, rows, periods]: counts, then parts of ExactSums.
        """
        with self._lock:
            is_shared = self.state.version == view.state.version
            cube = self._between(view, codes, periods, is_shared)
            if len(periods.edges):
                self._add_edges(cube, view, codes, periods.edges, is_shared)
            return cube

    def _between(self, view: View, codes: Sequence[int], periods: Periods, is_shared: bool) -> Cube:
        bounds = periods.intervals
        if is_shared:
            for code in self._prefix_sums.missing(codes):
                self._prefix_sums.put(code, _read_intervals(view, code))
            cube = self._prefix_sums.between(codes, bounds)
        else:
            # The cache has gone on: what this view sees is read from the database.
            cube = stacked([_read_intervals(view, code).between(bounds) for code in codes])
        return cube[:, :, ::2] if periods.is_interleaved else cube

    def _add_edges(
        self, cube: Cube, view: View, codes: Sequence[int], edges: Edges, is_shared: bool
    ) -> None:
        """Add the points at the edges, those of segments day by day and those of the head."""
        code_array = np.array(codes, np.int64)
        by_day = edges.by_day()
        segments = self._segments_of(view, [day for day, _ in by_day], codes, is_shared)
        for day, of_day in by_day:
            segment = segments[day]
            starts_us = of_day.starts_us - day * DAY_US
            ends_us = of_day.ends_us - day * DAY_US
            counts, parts = segment.sums_between(code_array, starts_us, ends_us)
            of_parts = slice(1, min(len(parts) + 1, cube.shape[1]))
            parts = parts[: of_parts.stop - 1].transpose(1, 0, 2)
            # A period has up to two edges: those that are the second one are added by themselves.
            for chosen in of_day.without_repeats():
                periods = of_day.periods[chosen]
                cube[:, 0, periods] += counts[:, chosen]
                cube[:, of_parts, periods] += parts[:, :, chosen]
        if len(view.head):
            self._add_head_edges(cube, view, codes, edges, is_shared)

    def _segments_of(
        self, view: View, days: Collection[int], codes: Sequence[int], is_shared: bool
    ) -> dict[int, DaySegment]:
        asked = frozenset(codes)
        found: dict[int, DaySegment] = {}
        # What the plan of a held view has found is still found.
        cached = view.in_memory.segments if view.in_memory else self._segments_now()
        if is_shared:
            for day in days:
                segment = cached.get(day)
                if segment is not None and asked <= segment.codes:
                    found[day] = segment
        missing = [day for day in days if day not in found]
        if missing:
            wanted = set(asked)
            for day in missing if is_shared else ():
                # A segment in the place of a smaller one has the metrics of that one, too.
                smaller = cached.get(day)
                wanted |= smaller.codes & view.metrics.names.keys() if smaller else set()
            snapshot = with_transaction(view)
            for day, segment in read_segments(
                snapshot.connection, snapshot.organization_id, missing, wanted
            ):
                found[day] = segment
                if is_shared:
                    self._segments.put(self._owner, day, segment)
        return found

    def _add_head_edges(
        self, cube: Cube, view: View, codes: Sequence[int], edges: Edges, is_shared: bool
    ) -> None:
        rows = np.full(max(view.state.metrics, 1), -1, np.int64)
        rows[list(codes)] = np.arange(len(codes))
        for start_us, end_us, period in edges.each():
            points = self._head.in_interval(start_us // CELL_US) if is_shared else view.head
            if not len(points):
                continue
            times_us = points["time_us"]
            points = points[(times_us >= start_us) & (times_us < end_us)]
            of_point = rows[points["metric"]]
            is_asked = of_point >= 0
            if not is_asked.all():
                points, of_point = points[is_asked], of_point[is_asked]
            if len(points):
                sums = ExactSums.of(of_point, points["value"], len(codes))
                cube[:, 0, period] += sums.counts
                for row, part in enumerate(sums.parts, 1):
                    cube[:, row, period] += part

    def _bring_up_to(self, connection: sqlite3.Connection, to: State) -> None:
        """Read what was recorded and flushed up to `to`, which `connection` sees."""
        organization_id = self._organization_id
        if (to.deletions, to.metrics) != (self.state.deletions, self.state.metrics):
            self._metrics = _read_metrics(connection, organization_id)
        if to.layout != self.state.layout:
            self._prefix_sums = PrefixSums()
        self._labels.extend(connection, organization_id, to)
        if to.sealed_through > self.state.sealed_through:
            self._drop_flushed(to)
        if to.next_batch > self.state.next_batch:
            self._read_head(connection)
        self.state = to

    def _drop_flushed(self, to: State) -> None:
        is_complete = self.state.next_batch > to.sealed_through
        days = self._head.drop_through(to.sealed_through)
        self._segments.drop(self._owner, days)
        if not is_complete:
            # Batches were flushed that were never seen here: of which days is not known.
            self._number = next(_cache_numbers)

    def _read_head(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT batch_number, columns FROM metric_batches"
            " WHERE organization_id = ? AND batch_number > ? ORDER BY batch_number",
            (self._organization_id, self._head.last_batch),
        )
        chunk: dict[int, bytes] = {}
        size = 0
        for number, columns in rows:
            chunk[number] = columns
            size += len(columns)
            if size >= POINTS_AT_ONCE * POINT.itemsize:
                self._append(chunk)
                chunk, size = {}, 0
        self._append(chunk)

    def _append(self, batches: dict[int, bytes]) -> None:
        added: HeadPoints = self._head.append(batches)
        if len(added):
            self._labels.index.add_of_head(self._labels.uses_of(added))
            self._prefix_sums.add(added)


def _read_intervals(view: View, code: int) -> Totals:
    check_cancelled()
    connection = with_transaction(view).connection
    return Totals.read(connection, view.organization_id, code, view.head)


def _read_metrics(connection: sqlite3.Connection, organization_id: int) -> Metrics:
    rows = connection.execute(
        "SELECT metric_code, name, type FROM metrics"
        " WHERE organization_id = ? AND name IS NOT NULL",
        (organization_id,),
    ).fetchall()
    return Metrics(
        codes={name: code for code, name, _ in rows},
        names={code: name for code, name, _ in rows},
        types={code: MetricType(metric_type) for code, _, metric_type in rows},
    )
