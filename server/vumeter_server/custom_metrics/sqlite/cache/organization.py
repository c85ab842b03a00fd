"""What is kept in memory of one organization, brought up to date at each query.

Locks, in the order in which they are taken: the organization's lock or its lock of label rollups,
then those of its label tables, then that of the point sums.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from vumeter_server.custom_metrics.sqlite.cache.edge_points import EdgePoints
from vumeter_server.custom_metrics.sqlite.cache.head import Batches, Head, in_interval
from vumeter_server.custom_metrics.sqlite.cache.label_index import UsedLabels
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels
from vumeter_server.custom_metrics.sqlite.cache.period_sums import (
    NO_HEAD,
    HeadAtCuts,
    sums_at_edges,
    sums_between,
)
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube, PrefixSums
from vumeter_server.custom_metrics.sqlite.cache.ranges import Periods
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import (
    OwnPointSums,
    PointSumsCache,
    UnitSums,
    read_unit,
)
from vumeter_server.custom_metrics.sqlite.cache.units import units_of
from vumeter_server.custom_metrics.sqlite.cache.view import (
    InMemory,
    Metrics,
    Snapshot,
    View,
    read_metrics,
    with_transaction,
)
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State, read_state
from vumeter_server.custom_metrics.sqlite.rollups.by_label import LabelRollups, LabelSums
from vumeter_server.custom_metrics.sqlite.rollups.intervals import Totals
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

# So many points of the head are read together, which takes some ten times their room meanwhile.
POINTS_AT_ONCE = 65_536


class OrganizationCache:
    """The head, the tables, the prefix sums and the point sums of one organization."""

    def __init__(self, organization_id: int, points: PointSumsCache) -> None:
        # Held while anything here but the label rollups is read or changed. The event loop holds it
        # for a whole query, whose own steps take it again.
        self._lock = threading.RLock()
        self._label_lock = threading.Lock()
        self._organization_id = organization_id
        self._points = OwnPointSums(points)
        self._clear()

    def _clear(self) -> None:
        """Hold nothing, so that everything is read again."""
        self.state = State(version=-1, deletions=-1)
        self._metrics = Metrics({}, {}, {})
        self._labels = Labels()
        self._head = Head()
        self._prefix_sums = PrefixSums()
        self._points.drop_all()
        # What the event loop is given until something is recorded.
        self._held_view: View | None = None
        self._label_rollups = LabelRollups(self._organization_id)

    @property
    def entries(self) -> int:
        """How many entries of about 50 bytes are held, without the point sums."""
        own = self._labels.entries + len(self._head) + len(self._prefix_sums) // 2
        return own + len(self._label_rollups)

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
                head_distributions=self._head.distributions(),
                connection=connection,
            )

    def hold(self, version: int) -> View:
        """Return what is known, without waiting for another thread.

        If what is known is of `version`, the view says what is in memory, and the cache stays as it
        is until the view is released. Every view has to be.
        """
        if not self._lock.acquire(blocking=False):
            return self._view(None)
        if self.state.version != version:
            view = self._view(None)
            self._lock.release()
            return view
        if self._held_view is None:
            self._held_view = self._view(self._in_memory())
        return self._held_view

    def release(self, view: View) -> None:
        """Let others use the cache again."""
        if view.is_current:
            self._lock.release()

    def _view(self, in_memory: InMemory | None) -> View:
        return View(
            organization_id=self._organization_id,
            state=self.state,
            metrics=self._metrics,
            labels=self._labels,
            head=self._head.points(),
            head_distributions=self._head.distributions(),
            in_memory=in_memory,
        )

    def _in_memory(self) -> InMemory:
        return InMemory(
            metrics=self._prefix_sums.ready, points=self._points.units, head=self._head.counts
        )

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
            return self._label_rollups.read(snapshot.connection, key, first, end)

    def sums(
        self,
        view: View,
        codes: Sequence[int],
        periods: Periods,
        found: Sequence[UnitSums] | None = None,
    ) -> Cube:
        """Return the sums of metrics in some periods, whose bounds may be any instants.

        This is the one place where sums between two instants are made. What is not in memory is
        read, for which `view` has to be a snapshot.

        Args:
            view: what is summed.
            codes: interned ids of metrics, at least one.
            periods: the periods.
            found: the point sums of the days that are cut, if the plan of a view that is held found
                all of them in memory.

        Returns:
            float64[metrics, rows, periods]: counts, then parts of ExactSums.
        """
        with self._lock:
            is_shared = self.state.version == view.state.version
            # Once the cache has gone on, what the view sees is read from the database.
            intervals = self._prefix_sums if is_shared else PrefixSums()
            for code in intervals.missing(codes):
                intervals.put(code, _read_intervals(view, code))
            points = found
            if points is None or not view.is_current:
                points = self._point_sums(view, codes, periods.cut_days, is_shared)
            head = self._head_at_cuts(view, periods, is_shared)
            if points is None:
                snapshot = with_transaction(view)
                edges = EdgePoints(
                    snapshot.connection, self._organization_id, codes, periods.cut_intervals
                )
                return sums_at_edges(intervals, edges.of, head.points, codes, periods)
            return sums_between(intervals, points, head, codes, periods)

    def _head_at_cuts(self, view: View, periods: Periods, is_shared: bool) -> HeadAtCuts:
        if not len(view.head) or not periods.cuts:
            return NO_HEAD
        if not is_shared:
            # They may be anywhere.
            return HeadAtCuts(partial(in_interval, view.head), 0)
        is_cut = not self._head.counts.keys().isdisjoint(periods.cut_intervals)
        return HeadAtCuts(self._head.in_interval if is_cut else None, self._head.first_interval)

    def _point_sums(
        self, view: View, codes: Sequence[int], days: Sequence[int], is_shared: bool
    ) -> list[UnitSums] | None:
        """Return the flushed points of some days, from the cache or from their segments.

        None if there are too many of them.
        """
        each = []
        for unit in units_of(codes, days) if days else ():
            sums = None
            if is_shared:
                sums = self._points.get(unit)
            if sums is None or not sums.codes.issuperset(codes):
                connection = with_transaction(view).connection
                # What comes in the place of something has the metrics of that, too.
                before = sums.codes & view.metrics.names.keys() if sums else set()
                sums = read_unit(connection, self._organization_id, unit, codes, before)
                if sums is None:
                    return None
                if is_shared:
                    self._points.put(sums)
            each.append(sums)
        return each

    def _bring_up_to(self, connection: sqlite3.Connection, to: State) -> None:
        """Read what was recorded and flushed up to `to`, which `connection` sees."""
        try:
            self._read_up_to(connection, to)
        except BaseException:
            # What was read by half, as after an interrupt or of damaged storage, is read again.
            self._clear()
            raise

    def _read_up_to(self, connection: sqlite3.Connection, to: State) -> None:
        organization_id = self._organization_id
        if to.series < self.state.series or to.metrics < self.state.metrics:
            # Everything was erased: what is there now has the numbers of what was there.
            self._clear()
        if (to.deletions, to.metrics) != (self.state.deletions, self.state.metrics):
            self._metrics = read_metrics(connection, organization_id)
        if to.layout != self.state.layout:
            self._prefix_sums = PrefixSums()
            self._points.drop_all()
        has_fewer_uses = to.deleted_through != self.state.deleted_through
        if has_fewer_uses:
            self._labels.forget_uses()
        self._labels.extend(connection, organization_id, to)
        if to.sealed_through > self.state.sealed_through:
            self._drop_flushed(to)
        if has_fewer_uses:
            self._labels.index.add_of_head(self._labels.uses_of(self._head.points()))
        if to.next_batch > self.state.next_batch:
            self._read_head(connection, to)
        self.state = to
        self._held_view = None

    def _drop_flushed(self, to: State) -> None:
        is_complete = self.state.next_batch > to.sealed_through
        days = self._head.drop_through(to.sealed_through)
        self._points.drop_days(days)
        if not is_complete:
            # Batches were flushed that were never seen here: of which days is not known.
            self._points.drop_all()

    def _read_head(self, connection: sqlite3.Connection, to: State) -> None:
        # Batches are numbered without gaps: SQLite does not notice a row that a page lost.
        missing = to.next_batch - 1 - max(self._head.last_batch, to.sealed_through)
        rows = connection.execute(
            "SELECT batch_number, columns FROM metric_batches"
            " WHERE organization_id = ? AND batch_number > ? ORDER BY batch_number",
            (self._organization_id, self._head.last_batch),
        )
        chunk = Batches()
        for number, columns in rows:
            chunk.add(number, columns)
            missing -= 1
            if chunk.size >= POINTS_AT_ONCE:
                self._append(chunk)
                chunk = Batches()
        if missing:
            raise StorageDamaged(detail=f"metric_batches: {missing} batches are missing")
        self._append(chunk)

    def _append(self, batches: Batches) -> None:
        added = self._head.append(batches)
        if len(added):
            self._labels.index.add_of_head(self._labels.uses_of(added))
            self._prefix_sums.add(added, batches.value_counts())


def _read_intervals(view: View, code: int) -> Totals:
    check_cancelled()
    connection = with_transaction(view).connection
    return Totals.read(connection, view.organization_id, code, view.head)
