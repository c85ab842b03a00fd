"""The logs of organizations: reading on in them, and appending what callers record and delete.

What callers want at one time is appended as one entry, after it was checked against all entries
before it. If another server appends first, it is checked again, against that entry too. So types,
limits, idempotency keys and the states of series are as exact as if there were one server.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.entry_log import EntryLog
from vumeter_server.custom_metrics.clickhouse.admission import Draft
from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog
from vumeter_server.custom_metrics.clickhouse.changes import CatalogChange, decode_change
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.rows import NewEntry, RowKind, block_of
from vumeter_server.custom_metrics.clickhouse.schema import ENTRY_WHERE, POINTS
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.clock import Clock

T = TypeVar("T")

MAX_CATALOG_ENTRIES: Final = 5_000_000
"""What the catalogs of all organizations may hold in memory, about 200 bytes each."""
MAX_POINTS_TOGETHER: Final = 100_000
MAX_PROPOSALS_TOGETHER: Final = 1_000
KNOWN_FOR_SECONDS: Final = 1.0
"""For so long after it was read a log is taken to end where it did; who is wrong loses."""
GIVEN_UP_AFTER_SECONDS: Final = 8.0
_ON_LOOP_POINTS: Final = 100


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An idempotency key that was used: the hash of the content, in hex, and the answer."""

    content_sha256: str
    recorded: int


@dataclass(slots=True)
class Found:
    """What is stored of what proposals ask about: keys, and states of series by unit."""

    keys: dict[str, StoredKey] = field(default_factory=dict)
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


@dataclass(slots=True, eq=False)
class _Waiting:
    proposal: Proposal[Any]
    outcome: asyncio.Future[Any]


class _Organization:
    def __init__(self) -> None:
        self.catalog = MetricCatalog()
        self.read_at = float("-inf")
        # Held by whoever uses the catalog across an await or on a thread.
        self.lock = asyncio.Lock()
        self.next_read: asyncio.Task[None] | None = None
        self.waiting: list[_Waiting] = []
        self.appending: asyncio.Task[None] | None = None

    @property
    def is_used(self) -> bool:
        return bool(self.lock.locked() or self.next_read or self.waiting or self.appending)


class MetricLog:
    """The logs of all organizations."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock
        self._points = clickhouse.layout.reads(POINTS)
        self._entries = EntryLog(
            clickhouse, POINTS, {"organization": "Int64"}, entry_where=ENTRY_WHERE
        )
        self._organizations: OrderedDict[int, _Organization] = OrderedDict()

    async def moment(self, organization_id: int) -> Moment:
        """Return what a query sees that is asked now."""
        return await self.use(
            organization_id, lambda catalog: moment_of(organization_id, catalog)
        )

    async def use(
        self, organization_id: int, work: Callable[[MetricCatalog], T], *, on_thread: bool = False
    ) -> T:
        """Read on, and return what `work` does with the catalog."""
        organization = self._of(organization_id)
        await self._read_on(organization_id, organization)
        if not on_thread:
            return work(organization.catalog)
        async with organization.lock:
            return await asyncio.to_thread(work, organization.catalog)

    async def append(self, organization_id: int, proposal: Proposal[T]) -> T:
        """Append what a proposal adds, and return its answer.

        Raises what it raises, and Unavailable if it is not known whether it was appended.
        """
        organization = self._of(organization_id)
        waiting = _Waiting(proposal, asyncio.get_running_loop().create_future())
        organization.waiting.append(waiting)
        if organization.appending is None:
            organization.appending = asyncio.create_task(
                self._append_waiting(organization_id, organization)
            )
        return await waiting.outcome  # type: ignore[no-any-return]

    async def find(
        self, organization_id: int, keys: Sequence[str], units: Sequence[str], after_seq: int
    ) -> Found:
        """Return what is stored of keys and units, since the organization was last erased."""
        found = Found()
        if keys:
            # They stay in the table for longer.
            kept = f"logged_us >= {self._clock() - IDEMPOTENCY_KEYS_KEPT_US}"
            rows = await self._log_rows(
                organization_id, RowKind.KEY, keys, after_seq, "payload, number", kept
            )
            for name, payload, number in rows:
                found.keys.setdefault(name, StoredKey(payload, number))
        if units:
            rows = await self._log_rows(
                organization_id, RowKind.SERIES_STATES, units, after_seq, "payload"
            )
            found.series_states |= {unit: bytes.fromhex(states) for unit, states in rows}
        return found

    async def rows(
        self, organization_id: int, kind: RowKind, columns: str, ending: str
    ) -> list[tuple[Any, ...]]:
        """Return rows of the log since the organization was last erased."""
        after = await self.use(organization_id, lambda catalog: catalog.forgotten_at)
        table = await self._clickhouse.query(
            f"SELECT {columns} FROM {self._points} WHERE organization = {organization_id}"
            f" AND metric = '' AND kind = {int(kind)} AND time_us > {after} {ending}"
        )
        return rows_of(table)

    async def _log_rows(
        self,
        organization_id: int,
        kind: RowKind,
        texts: Sequence[str],
        after_seq: int,
        columns: str,
        condition: str = "true",
    ) -> list[tuple[Any, ...]]:
        parameters = Parameters()
        table = await self._clickhouse.query(
            f"SELECT session, {columns} FROM {self._points}"
            f" WHERE organization = {organization_id} AND metric = '' AND kind = {int(kind)}"
            f" AND time_us > {after_seq} AND {condition} AND {parameters.is_one_of('session', texts)}"
            " ORDER BY time_us",
            parameters.values,
        )
        return rows_of(table)

    def _of(self, organization_id: int) -> _Organization:
        organization = self._organizations.get(organization_id)
        if organization is None:
            self._forget_some()
            organization = self._organizations[organization_id] = _Organization()
        self._organizations.move_to_end(organization_id)
        return organization

    def _forget_some(self) -> None:
        held = sum(each.catalog.entries for each in self._organizations.values())
        for organization_id, each in list(self._organizations.items()):
            if held <= MAX_CATALOG_ENTRIES:
                return
            if not each.is_used:
                held -= each.catalog.entries
                del self._organizations[organization_id]

    async def _read_on(self, organization_id: int, organization: _Organization) -> None:
        """Read all entries that are there when it is called; calls at one time share a read."""
        if organization.next_read is None:
            organization.next_read = asyncio.create_task(
                self._read(organization_id, organization)
            )
            organization.next_read.add_done_callback(_retrieved)
        await asyncio.shield(organization.next_read)

    async def _read(self, organization_id: int, organization: _Organization) -> None:
        async with organization.lock:
            # Whoever asks from now on may have recorded something that this does not see.
            organization.next_read = None
            read_at = asyncio.get_running_loop().time()
            catalog = organization.catalog
            entries = (
                f"FROM {self._points} WHERE organization = {organization_id} AND metric = ''"
                f" AND kind = {int(RowKind.ENTRY)} AND time_us > {catalog.seq}"
            )
            last = 0
            if not catalog.seq:
                # Most entries of a long log change nothing.
                found = await self._clickhouse.query(f"SELECT max(time_us) {entries}")
                last = found.column(0)[0].as_py()
                if not last:
                    organization.read_at = read_at
                    return
                entries += f" AND time_us <= {last} AND payload != ''"
            found = await self._clickhouse.query(
                f"SELECT time_us, payload {entries} ORDER BY time_us, recorded_us, entry"
            )
            if found.num_rows:
                await asyncio.to_thread(_apply, catalog, rows_of(found))
            catalog.seq = max(catalog.seq, last)
            organization.read_at = read_at

    async def _append_waiting(self, organization_id: int, organization: _Organization) -> None:
        """Append what waits, as much at a time as fits, until nothing does."""
        try:
            while organization.waiting:
                together = _together(organization.waiting)
                organization.waiting = organization.waiting[len(together) :]
                try:
                    await self._append(organization_id, organization, together)
                except Exception as error:  # noqa: BLE001
                    _fail(together, error)
        finally:
            organization.appending = None
            if organization.waiting:
                _fail(organization.waiting, Unavailable())

    async def _append(
        self, organization_id: int, organization: _Organization, together: Sequence[_Waiting]
    ) -> None:
        loop = asyncio.get_running_loop()
        given_up_at = loop.time() + GIVEN_UP_AFTER_SECONDS
        keys = [key for each in together for key in each.proposal.keys]
        units = list({unit for each in together for unit in each.proposal.units})
        is_fresh = False
        while loop.time() < given_up_at:
            if is_fresh or loop.time() - organization.read_at > KNOWN_FOR_SECONDS:
                await self._read_on(organization_id, organization)
                is_fresh = True
            read_at, catalog = organization.read_at, organization.catalog
            seq = catalog.seq + 1
            moment = moment_of(organization_id, catalog)
            found = await self.find(organization_id, keys, units, catalog.forgotten_at)
            for each in together:
                if each.proposal.prepare is not None:
                    await each.proposal.prepare(moment)
            async with organization.lock:
                if catalog.seq != seq - 1:
                    # Somebody read on meanwhile.
                    is_fresh = True
                    continue
                drafted = await self._drafted(organization_id, catalog, found, seq, together)
            if not is_fresh and (drafted.block is None or drafted.has_errors):
                # What is refused, or known, is so by all that is there now.
                is_fresh = True
                continue
            if drafted.block is not None:
                key = {"organization": organization_id}
                if not await self._entries.append(key, seq, drafted.block, read_at=read_at):
                    is_fresh = True
                    continue
                async with organization.lock:
                    if catalog.seq == seq - 1:
                        await _applied(catalog, seq, drafted.entry)
                        organization.read_at = loop.time()
            drafted.tell(together)
            return
        raise Unavailable

    async def _drafted(
        self,
        organization_id: int,
        catalog: MetricCatalog,
        found: Found,
        seq: int,
        together: Sequence[_Waiting],
    ) -> _Drafted:
        def draft() -> _Drafted:
            place = Place(draft=Draft(catalog), catalog=catalog, found=found, seq=seq)
            entry = NewEntry()
            outcomes = [_outcome(each.proposal, place, entry) for each in together]
            block = None
            if entry.is_needed:
                block = block_of(organization_id, entry, seq=seq, now_us=self._clock())
            return _Drafted(entry, block, outcomes)

        if sum(each.proposal.points for each in together) <= _ON_LOOP_POINTS:
            return draft()
        return await asyncio.to_thread(draft)


@dataclass(slots=True, eq=False)
class _Drafted:
    entry: NewEntry
    block: pa.Table | None
    outcomes: Sequence[Any]

    @property
    def has_errors(self) -> bool:
        return any(isinstance(each, Exception) for each in self.outcomes)

    def tell(self, together: Sequence[_Waiting]) -> None:
        for each, outcome in zip(together, self.outcomes, strict=True):
            if each.outcome.done():
                continue
            if isinstance(outcome, Exception):
                each.outcome.set_exception(outcome)
            else:
                each.outcome.set_result(outcome)


def moment_of(organization_id: int, catalog: MetricCatalog) -> Moment:
    """Return the moment of a catalog."""
    return Moment(
        organization_id=organization_id,
        seq=catalog.seq,
        metrics=catalog.metrics,
        hidden=catalog.hidden,
    )


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of an answer."""
    columns = [table.column(index).to_pylist() for index in range(table.num_columns)]
    return list(zip(*columns, strict=True))


def _outcome(proposal: Proposal[Any], place: Place, entry: NewEntry) -> Any:
    try:
        return proposal.propose(place, entry)
    except Exception as error:  # noqa: BLE001
        return error


def _together(waiting: Sequence[_Waiting]) -> Sequence[_Waiting]:
    """Return the first of what waits that can be one entry."""
    points = 0
    for index, each in enumerate(waiting[:MAX_PROPOSALS_TOGETHER]):
        points += each.proposal.points
        if index and (each.proposal.is_alone or points > MAX_POINTS_TOGETHER):
            return waiting[:index]
        if each.proposal.is_alone:
            return waiting[:1]
    return waiting[:MAX_PROPOSALS_TOGETHER]


def _fail(together: Sequence[_Waiting], error: Exception) -> None:
    for each in together:
        if not each.outcome.done():
            each.outcome.set_exception(error)


async def _applied(catalog: MetricCatalog, seq: int, entry: NewEntry) -> None:
    if len(entry.change.series) + len(entry.change.unused) <= _ON_LOOP_POINTS:
        catalog.apply(seq, entry.change)
    else:
        await asyncio.to_thread(catalog.apply, seq, entry.change)


def _apply(catalog: MetricCatalog, entries: Sequence[tuple[int, str]]) -> None:
    for seq, payload in entries:
        # Of two blocks with one number the first stands.
        if seq > catalog.seq:
            catalog.apply(seq, decode_change(payload) if payload else CatalogChange())


def _retrieved(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
