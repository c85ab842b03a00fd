"""The logs of organizations: what callers record and delete is appended to them.

What callers want at one time is appended as one entry, after it was checked against all entries
before it. If another server appends first, it is checked again, against that entry too. So types,
limits, idempotency keys and the states of series are as exact as if there were one server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.entry_log import EntryLog
from vumeter_server.custom_metrics.clickhouse.admission import Draft
from vumeter_server.custom_metrics.clickhouse.catalogs import (
    ON_LOOP,
    SMALL_CATALOG,
    Catalogs,
    HeldCatalog,
    moment_of,
    rows_of,
)
from vumeter_server.custom_metrics.clickhouse.conditions import Parameters
from vumeter_server.custom_metrics.clickhouse.proposals import (
    EarlierRecording,
    Found,
    Place,
    Proposal,
)
from vumeter_server.custom_metrics.clickhouse.rows import LogRowKind, NewEntry, block_of
from vumeter_server.custom_metrics.clickhouse.schema import ENTRY_WHERE, POINTS
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US
from vumeter_server.errors import Unauthenticated, Unavailable
from vumeter_server.runtime.clock import Clock

T = TypeVar("T")
IsDeleted = Callable[[int], Awaitable[bool]]

MAX_POINTS_TOGETHER: Final = 20_000
MAX_PROPOSALS_TOGETHER: Final = 1_000
KNOWN_FOR_SECONDS: Final = 1.0
"""For so long after it was read a log is taken to end where it did; who is wrong loses."""
READ_AGAIN_AFTER_SECONDS: Final = 4.0
"""An entry is not appended so long after its log was read; see `entry_log`."""
GIVEN_UP_AFTER_SECONDS: Final = 8.0
DRAFTED_AT_A_TIME: Final = 2
"""Large entries take turns: more at a time would each take longer, and their logs grow old."""


@dataclass(slots=True, eq=False)
class _Waiting:
    proposal: Proposal[Any]
    outcome: asyncio.Future[Any]


class MetricLog:
    """The logs of all organizations."""

    def __init__(
        self, clickhouse: ClickHouse, clock: Clock, *, is_deleted: IsDeleted | None = None
    ) -> None:
        """`is_deleted` says whether an organization is deleted that was erased once."""
        self._is_deleted = is_deleted
        self._clickhouse = clickhouse
        self._clock = clock
        self._points = clickhouse.layout.reads(POINTS)
        self._entries = EntryLog(
            clickhouse, POINTS, {"organization": "Int64"}, entry_where=ENTRY_WHERE
        )
        self.catalogs = Catalogs(clickhouse)
        self._waiting: dict[int, list[_Waiting]] = {}
        self._appending: set[asyncio.Task[None]] = set()
        self._drafting = asyncio.Semaphore(DRAFTED_AT_A_TIME)

    async def append(self, organization_id: int, proposal: Proposal[T]) -> T:
        """Append what a proposal adds, and return its answer.

        Raises what it raises, and Unavailable if it is not known whether it was appended.
        """
        waiting = _Waiting(proposal, asyncio.get_running_loop().create_future())
        others = self._waiting.get(organization_id)
        if others is not None:
            others.append(waiting)
        else:
            self._waiting[organization_id] = [waiting]
            task = asyncio.create_task(self._append_waiting(organization_id))
            self._appending.add(task)
            task.add_done_callback(self._appending.discard)
        answer: T = await waiting.outcome
        return answer

    async def find(
        self, organization_id: int, keys: Sequence[str], units: Sequence[str], after_seq: int
    ) -> Found:
        """Return what is stored of keys and units, since the organization was last erased."""
        found = Found()
        if keys:
            # They stay in the table for longer.
            kept = f"logged_us >= {self._clock() - IDEMPOTENCY_KEYS_KEPT_US}"
            rows = await self._log_rows(
                organization_id, LogRowKind.KEY, keys, after_seq, "payload, number", kept
            )
            for name, payload, number in rows:
                found.keys.setdefault(name, EarlierRecording(payload, number))
        if units:
            rows = await self._log_rows(
                organization_id, LogRowKind.SERIES_STATES, units, after_seq, "payload"
            )
            found.series_states |= {unit: bytes.fromhex(states) for unit, states in rows}
        return found

    async def rows(
        self, organization_id: int, kind: LogRowKind, columns: str, ending: str
    ) -> list[tuple[Any, ...]]:
        """Return rows of the log since the organization was last erased."""
        after = await self.catalogs.use(organization_id, lambda catalog: catalog.forgotten_at)
        table = await self._clickhouse.query(
            f"SELECT {columns} FROM {self._points} WHERE organization = {organization_id}"
            f" AND metric = '' AND kind = {int(kind)} AND time_us > {after} {ending}"
        )
        return rows_of(table)

    async def _log_rows(
        self,
        organization_id: int,
        kind: LogRowKind,
        texts: Sequence[str],
        after_seq: int,
        columns: str,
        condition: str = "true",
    ) -> list[tuple[Any, ...]]:
        parameters = Parameters()
        is_asked_for = parameters.is_one_of("session", texts)
        table = await self._clickhouse.query(
            f"SELECT session, {columns} FROM {self._points}"
            f" WHERE organization = {organization_id} AND metric = '' AND kind = {int(kind)}"
            f" AND time_us > {after_seq} AND {condition} AND {is_asked_for}"
            " ORDER BY time_us",
            parameters.values,
        )
        return rows_of(table)

    async def _append_waiting(self, organization_id: int) -> None:
        """Append what waits, as much at a time as fits, until nothing does."""
        held = self.catalogs.of(organization_id)
        held.users += 1
        try:
            while self._waiting[organization_id]:
                waiting = self._waiting[organization_id]
                together = _together(waiting)
                self._waiting[organization_id] = waiting[len(together) :]
                try:
                    await self._append(organization_id, held, together)
                except Exception as error:
                    _fail(together, error)
        finally:
            held.users -= 1
            _fail(self._waiting.pop(organization_id), Unavailable())

    async def _append(
        self, organization_id: int, held: HeldCatalog, together: Sequence[_Waiting]
    ) -> None:
        loop = asyncio.get_running_loop()
        given_up_at = loop.time() + GIVEN_UP_AFTER_SECONDS
        is_fresh = False
        while loop.time() < given_up_at:
            if is_fresh or loop.time() - held.read_at > KNOWN_FOR_SECONDS:
                await self.catalogs.read_on(organization_id)
                is_fresh = True
            read_at = held.read_at
            drafted = await self._drafted(organization_id, held, together)
            is_old = _is_old(read_at)
            if drafted is None or is_old or (drafted.is_refusing and not is_fresh):
                # What is rejected, or known, is so by all that is there now.
                is_fresh = True
                continue
            if drafted.block is not None:
                key, seq = {"organization": organization_id}, drafted.seq
                if not await self._entries.append(key, seq, drafted.block, read_at=read_at):
                    is_fresh = True
                    continue
                await held.apply(seq, drafted.entry.change, read_at=loop.time())
            drafted.tell(together)
            return
        raise Unavailable

    async def _drafted(
        self, organization_id: int, held: HeldCatalog, together: Sequence[_Waiting]
    ) -> _Drafted | None:
        """Return what would be appended; None if the catalog changed meanwhile, or is old."""
        catalog, read_at = held.catalog, held.read_at
        keys = [key for each in together for key in each.proposal.keys]
        units = sorted({unit for each in together for unit in each.proposal.units})
        moment = moment_of(organization_id, catalog)
        if catalog.forgotten_at and self._is_deleted and await self._is_deleted(organization_id):
            raise Unauthenticated
        found = await self.find(organization_id, keys, units, catalog.forgotten_at)
        for each in together:
            if each.proposal.prepare is not None:
                await each.proposal.prepare(moment)

        def draft() -> _Drafted:
            seq = moment.seq + 1
            place = Place(draft=Draft(catalog), catalog=catalog, found=found, seq=seq)
            entry = NewEntry()
            outcomes = [_outcome(each.proposal, place, entry) for each in together]
            block = None
            if entry.is_needed:
                block = block_of(organization_id, entry, seq=seq, now_us=self._clock())
            return _Drafted(seq, entry, block, outcomes)

        points = sum(each.proposal.points for each in together)
        if points <= ON_LOOP and catalog.entries <= SMALL_CATALOG:
            async with held.lock:
                return draft() if catalog.seq == moment.seq else None
        async with self._drafting, held.lock:
            if catalog.seq != moment.seq or _is_old(read_at):
                return None
            return await asyncio.to_thread(draft)


def _is_old(read_at: float) -> bool:
    return asyncio.get_running_loop().time() - read_at > READ_AGAIN_AFTER_SECONDS


@dataclass(slots=True, eq=False)
class _Drafted:
    seq: int
    entry: NewEntry
    block: pa.Table | None
    outcomes: Sequence[Any]

    @property
    def is_refusing(self) -> bool:
        """Whether something is rejected, or not appended."""
        return self.block is None or any(isinstance(each, Exception) for each in self.outcomes)

    def tell(self, together: Sequence[_Waiting]) -> None:
        for each, outcome in zip(together, self.outcomes, strict=True):
            if each.outcome.done():
                continue
            if isinstance(outcome, Exception):
                each.outcome.set_exception(outcome)
            else:
                each.outcome.set_result(outcome)


def _outcome(proposal: Proposal[Any], place: Place, entry: NewEntry) -> Any:
    try:
        return proposal.propose(place, entry)
    except Exception as error:
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
