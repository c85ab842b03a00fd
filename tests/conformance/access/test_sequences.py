"""Any sequence of calls gives the same results as the store in memory: every value of each.

Ids and secrets are drawn by each store for itself, so keys go by the order in which they were made.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.access.engines import ENGINES, STARTED_US, Engine, SteppedClock
from tests.effort import tries_on

from vumeter_server.access.keys import NewKey, secret_matches
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyInfo, KeyLookup

SUBJECTS = [name for name in ENGINES if name != "memory"]
NAMES = ("acme", "Acme", "ä", "b")
DAY_US = 86_400_000_000
UNKNOWN = "vmk_aaaaaaaaaaaaaaaaaaaa"


@dataclass
class Side:
    """A store, its clock, and the keys that it made."""

    engine: Engine
    clock: SteppedClock
    made: list[NewKey] = field(default_factory=list)

    def id_of(self, number: int) -> str:
        """Return the id of a key that was made, or one that nobody has."""
        return self.made[number].key_id if number < len(self.made) else UNKNOWN

    def take(self, new: NewKey | None) -> bool:
        """Keep a key that was made, and say whether one was."""
        if new is not None:
            self.made.append(new)
        return new is not None

    def number_of(self, key_id: str) -> int:
        """Return which of the keys has an id."""
        return [key.key_id for key in self.made].index(key_id)


Step = Callable[[Side, KeyLookup], object]


def _create(organization: str, role: Role, days: int | None) -> Step:
    def step(side: Side, lookup: KeyLookup) -> object:
        expires_us = None if days is None else side.clock.now_us + days * DAY_US
        return side.take(side.engine.administration.create_key(organization, role, expires_us))

    return step


def _revoke(number: int) -> Step:
    return lambda side, lookup: side.engine.administration.revoke_key(side.id_of(number))


def _rotate(number: int) -> Step:
    return lambda side, lookup: side.take(side.engine.administration.rotate_key(side.id_of(number)))


def _delete_organization(name: str) -> Step:
    return lambda side, lookup: side.engine.administration.delete_organization(name)


def _pass_time(days: int) -> Step:
    def step(side: Side, lookup: KeyLookup) -> object:
        side.clock.now_us += days * DAY_US + 1
        return None

    return step


def _use(used: dict[int, int]) -> Step:
    return lambda side, lookup: lookup.save_last_used(
        {side.id_of(number): STARTED_US + at for number, at in used.items()}
    )


numbers = st.integers(0, 5)
creations = st.builds(
    _create, st.sampled_from(NAMES), st.sampled_from(Role), st.none() | st.integers(1, 3)
)
steps = st.lists(
    st.one_of(
        creations,
        creations,
        st.builds(_revoke, numbers),
        st.builds(_rotate, numbers),
        st.builds(_rotate, numbers),
        st.builds(_delete_organization, st.sampled_from(NAMES)),
        # Backwards too: clocks are set.
        st.builds(_pass_time, st.integers(-1, 2)),
        st.builds(_use, st.dictionaries(numbers, st.integers(0, 9), max_size=4)),
    ),
    max_size=24,
)


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", SUBJECTS)
def test_any_sequence_gives_the_results_of_the_store_in_memory(name: str) -> None:
    @settings(max_examples=tries_on(name, 15, 500), deadline=None)
    @given(steps)
    def holds(taken: list[Step]) -> None:
        async def run() -> None:
            with tempfile.TemporaryDirectory() as directory:
                sides = []
                for each in (name, "memory"):
                    clock = SteppedClock()
                    sides.append(Side(ENGINES[each](Path(directory), clock), clock))
                subject, expected = sides
                async with subject.engine.lookup() as found, expected.engine.lookup() as wanted:
                    for step in taken:
                        assert await _answer(step, subject, found) == await _answer(
                            step, expected, wanted
                        )
                    assert await _everything(subject, found) == await _everything(expected, wanted)
                # Another process sees the same.
                async with subject.engine.lookup() as found:
                    assert await _everything(subject, found) == await _everything(expected, wanted)

        asyncio.run(run())

    holds()


async def _answer(step: Step, side: Side, lookup: KeyLookup) -> object:
    answer = step(side, lookup)
    return await answer if asyncio.iscoroutine(answer) else answer


async def _everything(side: Side, lookup: KeyLookup) -> list[object]:
    """All that can be asked, keys by their number."""
    administration = side.engine.administration
    listed = administration.list_keys()
    # Ids order what was created at one time in one organization.
    order = [(each.organization, each.created_us, each.key_id) for each in listed]
    assert order == sorted(order)
    answers: list[object] = [
        sorted(_by_number(side, each) for each in listed),
        administration.list_organizations(),
        await lookup.find_key(UNKNOWN),
        [administration.organization_id(name) for name in NAMES],
        [administration.is_erased(number) for number in range(1, 9)],
    ]
    for number, key in enumerate(side.made):
        stored = await lookup.find_key(key.key_id)
        if stored is None:
            # Its organization is deleted.
            answers.append(None)
            continue
        assert secret_matches(key.secret, stored)
        answers.append(replace(stored, key_id=str(number), secret_sha256=b""))
    return answers


def _by_number(side: Side, listed: KeyInfo) -> tuple[int, str]:
    return side.number_of(listed.key_id), repr(replace(listed, key_id=""))
