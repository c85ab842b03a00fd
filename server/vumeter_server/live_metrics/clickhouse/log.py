"""The log of live metrics: any number of servers append to it, one entry at a time.

Who appends has to have seen the entry before: an entry's number is given once (`entry_log`). A
server that has missed one, because it was stopped, cut off or slow, loses, reads on and folds again
upon what is there. So there is one order of all events, and each server holds the same state.

What callers want at one time is appended as one entry.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from vumeter_server.clickhouse.entry_log import EntryLog
from vumeter_server.errors import Unavailable
from vumeter_server.live_metrics.clickhouse.draft import FoundIds, LiveDraft
from vumeter_server.live_metrics.clickhouse.lookups import LiveTable
from vumeter_server.live_metrics.clickhouse.rows import LOG, TABLE, LiveRowKind
from vumeter_server.live_metrics.clickhouse.state import LiveState
from vumeter_server.live_metrics.fold import Change
from vumeter_server.live_metrics.model import Event

T = TypeVar("T")
Listener = Callable[[Change], None]

MAX_EVENTS_TOGETHER: Final = 20_000
MAX_WRITES_TOGETHER: Final = 1_000
MAX_EVENTS_WAITING: Final = 200_000
MAX_WRITES_WAITING: Final = 20_000
KNOWN_FOR_SECONDS: Final = 1.0
"""For so long after it was read the log is taken to end where it did; who is wrong loses."""
READ_AGAIN_AFTER_SECONDS: Final = 4.0
"""An entry is not appended so long after the log was read; see `entry_log`."""
GIVEN_UP_AFTER_SECONDS: Final = 8.0
MOST_PAUSE_MILLISECONDS: Final = 20
"""Who has appended waits up to so long if other servers run, so that they get a turn."""
_ON_LOOP_EVENTS: Final = 500


@dataclass(kw_only=True, slots=True, eq=False)
class LiveWrite(Generic[T]):
    """What a caller wants appended.

    Attributes:
        write: adds it to a draft and returns the answer, or raises and adds nothing. It is called
            again where another server was first.
        events: those whose ids it has to know.
        is_alone: whether it needs an entry of its own.
        prepare: reads what it has to know of the moment before the entry.
    """

    write: Callable[[LiveDraft], T]
    events: Sequence[Event] = ()
    is_alone: bool = False
    prepare: Callable[[LiveState], Awaitable[None]] | None = None


@dataclass(slots=True, eq=False)
class _WaitingWrite:
    write: LiveWrite[Any]
    outcome: asyncio.Future[Any]


class LiveLog:
    """The log, and the state after the last entry that was read or appended."""

    def __init__(self, table: LiveTable) -> None:
        self.table = table
        self.state = LiveState()
        self.others = 0
        """How many other servers run."""
        self._entries = EntryLog(
            table.clickhouse,
            TABLE,
            {"log": "Int64", "kind": "Int64"},
            entry_where="name = '' AND at = {seq:Int64}",
        )
        self._listeners: list[Listener] = []
        self._waiting: list[_WaitingWrite] = []
        self._waiting_events = 0
        self._appending: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_next: asyncio.Task[None] | None = None
        self._read_at = float("-inf")
        # A large draft is folded on a thread, upon a state that must not change meanwhile.
        self._folding = asyncio.Lock()

    async def load(self) -> None:
        """Read everything."""
        rows, seq = await self.table.load()
        self.state.apply(rows, seq)
        await self.catch_up()

    def follow(self, listener: Listener) -> None:
        """Hand everything that is live to a listener, and then each change."""
        listener(self.state.as_change())
        self._listeners.append(listener)

    async def catch_up(self) -> None:
        """Read all entries that were appended before this call.

        Whoever asks while others read waits for the next reading, together with all who do.
        """
        if self._reading is None:
            self._reading = reading = asyncio.create_task(self._read_on(None))
        else:
            if self._read_next is None:
                self._read_next = asyncio.create_task(self._read_on(self._reading))
            reading = self._read_next
        await asyncio.shield(reading)

    async def _read_on(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        this = asyncio.current_task()
        if self._read_next is this:
            self._read_next = None
        self._reading = this
        try:
            read_at = asyncio.get_running_loop().time()
            rows, seq = await self.table.held(self.state.seq)
            take = self.state.apply
            if self.state.misses_some_of(rows):
                rows, seq = await self.table.load()
                take = self.state.replace
            async with self._folding:
                if seq > self.state.seq:
                    self._publish(take(rows, seq))
            self._read_at = max(self._read_at, read_at)
        finally:
            if self._reading is this:
                self._reading = None

    async def append(self, write: LiveWrite[T]) -> T:
        """Append what a write adds, and return its answer.

        Raises what it raises, and Unavailable if it is not known whether it was appended, or if too
        much waits already.
        """
        if self._waiting_events + len(write.events) > MAX_EVENTS_WAITING and self._waiting:
            raise Unavailable
        if len(self._waiting) >= MAX_WRITES_WAITING:
            raise Unavailable
        waiting = _WaitingWrite(write, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting_events += len(write.events)
        if self._appending is None:
            self._appending = asyncio.create_task(self._append_waiting())
        answer: T = await waiting.outcome
        return answer

    async def _append_waiting(self) -> None:
        """Append what waits, as much at a time as fits, until nothing does."""
        try:
            while self._waiting:
                together = _together(self._waiting)
                del self._waiting[: len(together)]
                self._waiting_events -= sum(len(each.write.events) for each in together)
                try:
                    await self._append(together)
                except Exception as error:
                    _fail(together, error)
                if self._waiting and self.others:
                    await asyncio.sleep(secrets.randbelow(MOST_PAUSE_MILLISECONDS) / 1_000)
        finally:
            self._appending = None
            _fail(self._waiting, Unavailable())
            self._waiting.clear()
            self._waiting_events = 0

    async def _append(self, together: Sequence[_WaitingWrite]) -> None:
        loop = asyncio.get_running_loop()
        given_up_at = loop.time() + GIVEN_UP_AFTER_SECONDS
        is_fresh = False
        while loop.time() < given_up_at:
            if is_fresh or loop.time() - self._read_at > KNOWN_FOR_SECONDS:
                await self.catch_up()
                is_fresh = True
            drafted, read_at = await self._drafted(together)
            is_old = loop.time() - read_at > READ_AGAIN_AFTER_SECONDS
            if drafted is None or is_old or (drafted.is_refusing and not is_fresh):
                # What is rejected, or known, is so by all that is there now.
                is_fresh = True
                continue
            rows = drafted.draft.rows
            if not rows.is_empty:
                block = await _on_thread(rows.block, len(rows.events))
                key = {"log": LOG, "kind": int(LiveRowKind.ENTRY)}
                appended_at = loop.time()
                if not await self._entries.append(key, rows.seq, block, read_at=read_at):
                    is_fresh = True
                    continue
                async with self._folding:
                    self.table.know(rows)
                    if rows.seq > self.state.seq:
                        self._publish(self.state.apply(list(rows.held.values()), rows.seq))
                self._read_at = max(self._read_at, appended_at)
            drafted.tell(together)
            return
        raise Unavailable

    async def _drafted(self, together: Sequence[_WaitingWrite]) -> tuple[_Drafted | None, float]:
        """Return what would be appended, and when the log ended where it is to be appended.

        It is None if the state changed meanwhile.
        """
        seq = self.state.seq
        found = await self.table.find(self.state, [each.write.events for each in together])
        for each in together:
            if each.write.prepare is not None:
                await each.write.prepare(self.state)
        if asyncio.get_running_loop().time() - self._read_at > KNOWN_FOR_SECONDS:
            # What was found is still so if the log ends where it did.
            await self.catch_up()
        read_at = self._read_at
        async with self._folding:
            if self.state.seq != seq:
                return None, read_at
            events = sum(len(each.write.events) for each in together)
            drafted = await _on_thread(lambda: _draft(self.state, found, together), events)
            return drafted, read_at

    def _publish(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)


@dataclass(slots=True, eq=False)
class _Drafted:
    draft: LiveDraft
    outcomes: Sequence[Any]

    @property
    def is_refusing(self) -> bool:
        """Whether something is rejected, or not appended."""
        return self.draft.rows.is_empty or any(
            isinstance(each, Exception) for each in self.outcomes
        )

    def tell(self, together: Sequence[_WaitingWrite]) -> None:
        for each, outcome in zip(together, self.outcomes, strict=True):
            if each.outcome.done():
                continue
            if isinstance(outcome, Exception):
                each.outcome.set_exception(outcome)
            else:
                each.outcome.set_result(outcome)


def _draft(state: LiveState, found: FoundIds, together: Sequence[_WaitingWrite]) -> _Drafted:
    draft = LiveDraft.upon(state, found)
    return _Drafted(draft, [_outcome(each.write, draft) for each in together])


def _outcome(write: LiveWrite[Any], draft: LiveDraft) -> Any:
    try:
        return write.write(draft)
    except Exception as error:
        return error


async def _on_thread(work: Callable[[], T], events: int) -> T:
    """Return what work returns; much of it is done on a thread."""
    return work() if events <= _ON_LOOP_EVENTS else await asyncio.to_thread(work)


def _together(waiting: Sequence[_WaitingWrite]) -> list[_WaitingWrite]:
    """Return the first of what waits that can be one entry."""
    events = 0
    for index, each in enumerate(waiting[:MAX_WRITES_TOGETHER]):
        events += len(each.write.events)
        if index and (each.write.is_alone or events > MAX_EVENTS_TOGETHER):
            return list(waiting[:index])
        if each.write.is_alone:
            return list(waiting[:1])
    return list(waiting[:MAX_WRITES_TOGETHER])


def _fail(together: Sequence[_WaitingWrite], error: Exception) -> None:
    for each in together:
        if not each.outcome.done():
            each.outcome.set_exception(error)
