"""What the readers know by heart of an organization, brought up to date at each query.

An organization's dictionaries and its log are held in arrays that only grow. A query reads one row
to learn whether they are still current, and only what was added since.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar, cast

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.sqlite.cache.growing_array import GrowingArray
from vumeter_server.custom_metrics.sqlite.cache.label_index import View
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import AllTotals, Cube, stacked
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT, content_of_batch
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import NO_CODE, State, read_state
from vumeter_server.custom_metrics.sqlite.rollups.by_label import LabelSums, LabelTotals
from vumeter_server.custom_metrics.sqlite.rollups.intervals import Totals
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

T = TypeVar("T")
Points = npt.NDArray[np.void]
Codes = npt.NDArray[np.int32]

# How many points a query that everybody waits for may look through one by one.
MAX_POINTS_AT_HAND = 300
# So many points of the log are taken up together, which takes some ten times their room meanwhile.
POINTS_AT_ONCE = 65_536
# How many labels of one organization have their sums remembered.
MAX_LABEL_TOTALS = 4
# What all organizations' caches may hold together, in entries of about 50 bytes.
MAX_WEIGHT = 3_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """The metrics that are not deleted."""

    codes: dict[str, int]
    names: dict[int, str]
    types: dict[int, MetricType]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Snapshot:
    """An organization as one read transaction sees it."""

    connection: sqlite3.Connection
    organization_id: int
    state: State
    metrics: Metrics
    labels: Labels
    log: Points
    """The points that are not sealed yet, of type POINT, in the order of recording."""
    _organization: _Organization
    is_at_hand: bool = False
    """Whether everybody else waits for the query, which then has to be a quick one."""

    def check_quick(self, points: int) -> None:
        """Raise NotAtHand if everybody would wait while so many points are looked through."""
        if self.is_at_hand and points > MAX_POINTS_AT_HAND:
            raise NotAtHand

    def used(self, metric_code: int | None, agent_code: int | None) -> View:
        """Return what the points of a metric, of an agent, or of both use."""
        return self._organization.used(self, metric_code, agent_code)

    def unsealed_uses(self, points: Points) -> npt.NDArray[np.int64]:
        """Return the uses of points of the log that only points of the log have."""
        return self._organization.unsealed_uses(points)

    def label_sums(self, key: str, first: int, end: int) -> LabelSums:
        """Return the sums of sealed days [first, end) by metric and value of a label."""
        return self._organization.label_sums(self, key, first, end)

    def totals_between(self, metric_codes: Sequence[int], bounds: npt.NDArray[np.int64]) -> Cube:
        """Return metrics' sums from each of the ascending cells `bounds` to the next one."""
        return self._organization.totals_between(self, metric_codes, bounds)


class NotAtHand(Exception):
    """What a query needs is not in memory."""


class _NothingToRead:
    """Stands where a connection would; whatever is read from it is not at hand."""

    def execute(self, *_: object) -> NoReturn:
        raise NotAtHand


NOTHING_TO_READ = cast(sqlite3.Connection, _NothingToRead())


class _Organization:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._label_lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self.state = State(version=-1, deletions=-1)
        self.metrics = Metrics({}, {}, {})
        self.labels = Labels()
        self._log: GrowingArray[np.void] = GrowingArray(POINT)
        # The log's batches: their numbers, and where each ends in the array.
        self._numbers: list[int] = []
        self._ends: list[int] = []
        self._totals = AllTotals()
        self._label_totals: OrderedDict[str, LabelTotals] = OrderedDict()

    @property
    def weight(self) -> int:
        entries = sum(map(len, self._label_totals.values()))
        return self.labels.weight + len(self._log) + len(self._totals) // 2 + entries

    def used(self, snapshot: Snapshot, metric_code: int | None, agent_code: int | None) -> View:
        with self.lock:
            return self.labels.uses.view(
                metric_code,
                agent_code,
                self.labels.name,
                snapshot.metrics.names,
                snapshot.state.deletions,
            )

    def unsealed_uses(self, points: Points) -> npt.NDArray[np.int64]:
        numbers = self.labels.uses_of(points)
        with self.lock:
            return self.labels.uses.unsealed_among(numbers)

    def label_sums(self, snapshot: Snapshot, key: str, first: int, end: int) -> LabelSums:
        with self._label_lock:
            if key not in self._label_totals:
                self._label_totals[key] = LabelTotals(snapshot.organization_id, key)
            self._label_totals.move_to_end(key)
            if len(self._label_totals) > MAX_LABEL_TOTALS:
                self._label_totals.popitem(last=False)
            return self._label_totals[key].read(snapshot.connection, first, end)

    def totals_between(
        self, snapshot: Snapshot, metric_codes: Sequence[int], bounds: npt.NDArray[np.int64]
    ) -> Cube:
        with self.lock:
            if self.state.version != snapshot.state.version:
                # The cache has gone on: what this snapshot sees is read from the file.
                read = (self._read_totals(snapshot, code) for code in metric_codes)
                return stacked([totals.between(bounds) for totals in read])
            for code in self._totals.missing(metric_codes):
                self._totals.put(code, self._read_totals(snapshot, code))
            if snapshot.is_at_hand and not self._totals.is_laid_out:
                raise NotAtHand
            return self._totals.between(metric_codes, bounds)

    @staticmethod
    def _read_totals(snapshot: Snapshot, metric_code: int) -> Totals:
        check_cancelled()
        return Totals.read(snapshot.connection, snapshot.organization_id, metric_code, snapshot.log)

    def bring_up_to(self, connection: sqlite3.Connection, organization_id: int, to: State) -> None:
        try:
            self._bring_up_to(connection, organization_id, to)
        except BaseException:
            # What was read by half, as after an interrupt or of damaged storage, is read again.
            self._forget()
            raise

    def _bring_up_to(self, connection: sqlite3.Connection, organization_id: int, to: State) -> None:
        if (to.deletions, to.metrics) != (self.state.deletions, self.state.metrics):
            self.metrics = _read_metrics(connection, organization_id)
        if to.layout != self.state.layout:
            self._totals = AllTotals()
        self.labels.extend(connection, organization_id, to)
        if to.sealed_through > self.state.sealed_through:
            self._drop_sealed(to.sealed_through)
        if to.next_batch > self.state.next_batch:
            self._read_log(connection, organization_id)
        self.state = to

    def _drop_sealed(self, sealed_through: int) -> None:
        sealed = bisect_right(self._numbers, sealed_through)
        start = self._ends[sealed - 1] if sealed else 0
        self._log = GrowingArray(POINT, self._log.view()[start:].copy())
        self._numbers = self._numbers[sealed:]
        self._ends = [end - start for end in self._ends[sealed:]]

    def _read_log(self, connection: sqlite3.Connection, organization_id: int) -> None:
        last = self._numbers[-1] if self._numbers else -1
        rows = connection.execute(
            "SELECT batch_number, columns FROM metric_batches"
            " WHERE organization_id = ? AND batch_number > ? ORDER BY batch_number",
            (organization_id, last),
        )
        end = len(self._log)
        lot: list[bytes | memoryview] = []
        for number, columns in rows:
            points = content_of_batch(columns)
            end += len(points) // POINT.itemsize
            self._numbers.append(number)
            self._ends.append(end)
            lot.append(points)
            if end - len(self._log) >= POINTS_AT_ONCE:
                self._take_up(lot)
                lot = []
        self._take_up(lot)

    def _take_up(self, batches: list[bytes | memoryview]) -> None:
        added = np.frombuffer(b"".join(batches), POINT)
        self._log.append(added)
        if len(added):
            self.labels.uses.add_of_log(self.labels.uses_of(added))
            self._totals.add(added)

    def snapshot(
        self, connection: sqlite3.Connection, organization_id: int, *, is_at_hand: bool = False
    ) -> Snapshot:
        return Snapshot(
            is_at_hand=is_at_hand,
            connection=connection,
            organization_id=organization_id,
            state=self.state,
            metrics=self.metrics,
            labels=self.labels,
            log=self._log.view(),
            _organization=self,
        )


class Snapshots:
    """The caches of every organization that was queried lately, shared by the reader threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._organizations: OrderedDict[int, _Organization] = OrderedDict()

    def take(self, connection: sqlite3.Connection, organization_id: int) -> Snapshot:
        """Return the organization as `connection`'s read transaction sees it.

        If another thread has brought the cache further than that transaction sees, the transaction
        is begun anew, so that it sees as much.
        """
        organization = self._organization(organization_id)
        with organization.lock:
            state = read_state(connection, organization_id)
            if state.version < organization.state.version:
                connection.execute("COMMIT")
                connection.execute("BEGIN")
                state = read_state(connection, organization_id)
            if state.version > organization.state.version:
                organization.bring_up_to(connection, organization_id, state)
            return organization.snapshot(connection, organization_id)

    def at_hand(
        self,
        version: int,
        organization_id: int,
        query: Callable[[Snapshot], T],
        connection: sqlite3.Connection = NOTHING_TO_READ,
    ) -> T:
        """Run `query` on what is known, if that is of `version`, and nothing more has to be read.

        What is read through `connection` has to be of that version, too. Raises NotAtHand
        otherwise, or if another thread is using the caches.
        """
        organization = self._organizations.get(organization_id)
        if organization is None or not organization.lock.acquire(blocking=False):
            raise NotAtHand
        try:
            if organization.state.version != version:
                raise NotAtHand
            return query(organization.snapshot(connection, organization_id, is_at_hand=True))
        finally:
            organization.lock.release()

    def known_type(self, organization_id: int, metric_name: str) -> MetricType | None:
        """Return the type of a metric if a snapshot that was taken has it, without asking."""
        organization = self._organizations.get(organization_id)
        if organization is None:
            return None
        metrics = organization.metrics
        return metrics.types.get(metrics.codes.get(metric_name, NO_CODE))

    def _organization(self, organization_id: int) -> _Organization:
        with self._lock:
            organization = self._organizations.get(organization_id)
            if organization is None:
                weight = sum(each.weight for each in self._organizations.values())
                while weight > MAX_WEIGHT:
                    weight -= self._organizations.popitem(last=False)[1].weight
                organization = self._organizations[organization_id] = _Organization()
            self._organizations.move_to_end(organization_id)
            return organization


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
