"""Which demo data a database was given, and whose turn it is, in ClickHouse.

Both are logs (`entry_log`): one of each family, whose last entry is its state, and one of each
turn, whose last entry says who has it and by its age whether he still runs.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.entry_log import EntryLog
from vumeter_server.clickhouse.layout import RECORDED_US
from vumeter_server.demo.record import DemoState, Loading, begun
from vumeter_server.demo.turns import COUNTS_FOR_SECONDS
from vumeter_server.times.units import SECOND_US

_DATA: Final = "demo_data"
_TURNS: Final = "demo_turns"
_NOBODY: Final = ""
_SLOTS: Final = 64
"""How many of the last entries of a turn are kept."""


class ClickHouseDemoRecord:
    """Implements DemoRecord, for one process among all that are started with demo data."""

    def __init__(self, cluster: BlockingClickHouse) -> None:
        self._cluster = cluster
        self._process = secrets.token_hex(8)

    def begin(self, family: str, now_us: int, *, extends: bool) -> Loading | None:
        """Note that a family's data is begun, unless it was before; return what is to be loaded."""

        async def job(clickhouse: ClickHouse) -> Loading | None:
            state = await _States(clickhouse).change(
                family, lambda found: begun(found, now_us, extends=extends)
            )
            return None if state is None else state.loading

        return self._cluster.run(job)

    def finish(self, family: str, now_us: int, *, until_us: int) -> None:
        """Note that a family's data is there, or is given up, until `until_us`."""

        def finished(found: DemoState | None) -> DemoState | None:
            # Another process that took the turn meanwhile may have finished it already.
            if found is None or found.finished_us is not None:
                return None
            return DemoState(begun_us=until_us, finished_us=now_us, from_us=found.from_us)

        self._cluster.run(lambda clickhouse: _States(clickhouse).change(family, finished))

    def take_turn(self, turn: str) -> bool:
        """Take a turn or keep it; False if another process has it."""
        return self._cluster.run(lambda clickhouse: self._take_turn(clickhouse, turn))

    def give_up_turn(self, turn: str) -> None:
        """Let the next process take a turn at once, if this one has it."""

        async def job(clickhouse: ClickHouse) -> None:
            turns = _Turns(clickhouse)
            read_at = asyncio.get_running_loop().time()
            last = await turns.last(turn)
            if last is not None and last["process"] == self._process:
                await turns.append(turn, last["seq"] + 1, _NOBODY, read_at=read_at)

        self._cluster.run(job)

    async def _take_turn(self, clickhouse: ClickHouse, turn: str) -> bool:
        turns = _Turns(clickhouse)
        while True:
            read_at = asyncio.get_running_loop().time()
            last = await turns.last(turn)
            is_anothers = last is not None and last["process"] not in (_NOBODY, self._process)
            if last is not None and is_anothers and last["age_us"] < COUNTS_FOR_SECONDS * SECOND_US:
                return False
            seq = 1 if last is None else last["seq"] + 1
            if await turns.append(turn, seq, self._process, read_at=read_at):
                return True


class ClickHouseDemoMigration:
    """Implements DemoMigrationStore."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._states = _States(clickhouse)

    async def states(self) -> Mapping[str, DemoState]:
        """Return the state of each family that has one."""
        return {family: state for family, (_, state) in (await self._states.read()).items()}

    async def put_state(self, family: str, state: DemoState) -> None:
        """Make a family's state what is given."""
        await self._states.change(family, lambda found: state)


class _States:
    """The logs of families."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._log = EntryLog(clickhouse, _DATA, {"family": "String"})

    async def read(self) -> dict[str, tuple[int, DemoState]]:
        """Return the last entry of each family: its number, and the state."""
        found = await self._clickhouse.query(
            "SELECT family, seq, begun_us, finished_us, from_us"
            f" FROM {self._clickhouse.layout.reads(_DATA)}"
            # Of rows with one number the first has got it.
            f" ORDER BY family, seq DESC, {RECORDED_US}, entry LIMIT 1 BY family"
        )
        return {
            row["family"]: (
                row["seq"],
                DemoState(
                    begun_us=row["begun_us"],
                    finished_us=row["finished_us"],
                    from_us=row["from_us"],
                ),
            )
            for row in found.to_pylist()
        }

    async def change(
        self, family: str, change: Callable[[DemoState | None], DemoState | None]
    ) -> DemoState | None:
        """Append what `change` says of the state as it is; return it, None for nothing."""
        while True:
            read_at = asyncio.get_running_loop().time()
            seq, found = (await self.read()).get(family, (0, None))
            state = change(found)
            if state is None or state == found:
                return state
            values = {
                "begun_us": state.begun_us,
                "finished_us": state.finished_us,
                "from_us": state.from_us,
            }
            columns = {name: pa.array([value], pa.int64()) for name, value in values.items()}
            row = pa.table({"family": [family], **columns})
            if await self._log.append({"family": family}, seq + 1, row, read_at=read_at):
                return state


class _Turns:
    """The logs of turns."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._log = EntryLog(clickhouse, _TURNS, {"turn": "String"})

    async def last(self, turn: str) -> dict[str, Any] | None:
        """Return the last entry: its number, who has the turn, and since when he said nothing."""
        found = await self._clickhouse.query(
            f"SELECT seq, process, toUnixTimestamp64Micro(now64(6)) - {RECORDED_US} AS age_us"
            f" FROM {self._clickhouse.layout.reads(_TURNS)} WHERE turn = {{turn:String}}"
            f" ORDER BY seq DESC, {RECORDED_US}, entry LIMIT 1",
            {"turn": turn},
        )
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows[0] if rows else None

    async def append(self, turn: str, seq: int, process: str, *, read_at: float) -> bool:
        """Say who has the turn; False if another was first."""
        row = {
            "turn": [turn],
            "slot": pa.array([seq % _SLOTS], pa.int64()),
            "process": [process],
        }
        return await self._log.append({"turn": turn}, seq, pa.table(row), read_at=read_at)
