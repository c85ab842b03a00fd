"""What a store remembers of demo data: what it was given, and whose turn it is to give it more.

Several servers on one store may be started with demo data. One of them at a time loads a family's
data, and one plays it: the others wait for their turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vumeter_server.access.store import KeyAdministration
from vumeter_server.times.units import HOUR_US


class Loading(NamedTuple):
    """What is to be loaded: what happened before `begun_us`.

    `from_us` is when the data was begun that is there already; None if there is none.
    """

    begun_us: int
    from_us: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoState:
    """Up to when a family has demo data.

    Attributes:
        begun_us: when the data was begun; up to then it goes.
        finished_us: when all of it was there, None if it is not known to be.
        from_us: as in `Loading`.
    """

    begun_us: int
    finished_us: int | None = None
    from_us: int | None = None

    @property
    def loading(self) -> Loading:
        """What is to be loaded."""
        return Loading(self.begun_us, self.from_us)


def begun(state: DemoState | None, now_us: int, *, extends: bool) -> DemoState | None:
    """Return a family's state when its data is begun or goes on; None if nothing is to be loaded.

    Data that is there is to be extended once an hour has passed since, if `extends`.
    """
    if state is None:
        return DemoState(begun_us=now_us)
    if state.finished_us is None:
        return state
    if not extends or now_us // HOUR_US <= state.begun_us // HOUR_US:
        return None
    return DemoState(begun_us=now_us, from_us=state.begun_us)


class DemoRecord(Protocol):
    """Remembers for each family up to when it has demo data."""

    def begin(self, family: str, now_us: int, *, extends: bool) -> Loading | None:
        """Note that a family's data is begun, unless it was before; return what is to be loaded.

        See `begun`. Only who has the turn to load it asks.
        """

    def finish(self, family: str, now_us: int, *, until_us: int) -> None:
        """Note that a family's data is there, or is given up, until `until_us`."""

    def take_turn(self, turn: str) -> bool:
        """Take a turn or keep it; False if another process has it.

        Who has it takes it again within `turns.COUNTS_FOR_SECONDS`, or may lose it.
        """

    def give_up_turn(self, turn: str) -> None:
        """Let the next process take a turn at once, if this one has it."""


class DemoStore(Protocol):
    """What demo data asks of a store beside recording; `Administration` has it."""

    @property
    def keys(self) -> KeyAdministration:
        """Organizations and keys."""

    @property
    def demo(self) -> DemoRecord:
        """Which demo data there is."""


class DemoMigrationStore(Protocol):
    """What `vumeter migrate` asks, so that demo data is not loaded again into another store."""

    async def states(self) -> Mapping[str, DemoState]:
        """Return the state of each family that has one."""

    async def put_state(self, family: str, state: DemoState) -> None:
        """Make a family's state what is given."""
