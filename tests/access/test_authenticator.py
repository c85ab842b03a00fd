"""The authenticator over a real store: caching, and times of last use that must not get lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.conformance.access.engines import STARTED_US, SqliteEngine, SteppedClock
from tests.conformance.access.memory_store import MemoryKeyStore
from tests.waiting import SECONDS

from vumeter_server.access.authenticator import Authenticator
from vumeter_server.access.keys import Credential, NewKey
from vumeter_server.access.roles import Role
from vumeter_server.errors import Unauthenticated, Unavailable
from vumeter_server.runtime.clock import system_clock


class FailingStore(MemoryKeyStore):
    """A store that can be told to fail, or to wait, when times of last use are saved."""

    error: Exception | None = None
    wait: asyncio.Event | None = None

    async def save_last_used(self, last_used_us: Mapping[str, int]) -> None:
        """Fail or wait if told to, else save."""
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error
        await super().save_last_used(last_used_us)

    def last_used(self) -> list[int | None]:
        """The times saved, of all keys in order."""
        return [each.last_used_us for each in self.list_keys()]


def shown(key: NewKey) -> Credential:
    return Credential(key_id=key.key_id, secret=key.secret)


async def seconds_until_rejected(authenticator: Authenticator, key: NewKey) -> float:
    """Return after how many seconds the last try began that was not rejected."""
    started = time.monotonic()
    last_begun = begun = 0.0
    while begun < SECONDS:
        begun = time.monotonic() - started
        try:
            await authenticator.caller(shown(key))
        except Unauthenticated:
            break
        last_begun = begun
        await asyncio.sleep(0.01)
    return last_begun


@pytest.mark.parametrize("error", [Unavailable(), RuntimeError("unexpected"), KeyError("vmk_")])
async def test_times_of_last_use_that_could_not_be_saved_are_saved_next_time(
    error: Exception,
) -> None:
    clock = SteppedClock()
    store = FailingStore(clock)
    authenticator = Authenticator(store, "", clock)
    keys = [store.create_key("acme", Role.OWNER, None) for _ in range(2)]
    for key in keys:
        await authenticator.caller(shown(key))
    store.error = error
    with capture_logs() as logs:
        await authenticator.save_last_used()
    assert [log["event"] for log in logs] == ["last_used_put_off"]
    assert store.last_used() == [None, None]
    store.error = None
    await authenticator.save_last_used()
    assert store.last_used() == [STARTED_US, STARTED_US]


async def test_a_save_that_is_cancelled_loses_nothing_and_a_newer_time_wins() -> None:
    clock = SteppedClock()
    store = FailingStore(clock)
    authenticator = Authenticator(store, "", clock)
    key = store.create_key("acme", Role.OWNER, None)
    await authenticator.caller(shown(key))
    store.wait = asyncio.Event()
    saving = asyncio.create_task(authenticator.save_last_used())
    await asyncio.sleep(0)
    clock.now_us += 5
    await authenticator.caller(shown(key))
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    store.wait = None
    await authenticator.save_last_used()
    assert store.last_used() == [STARTED_US + 5]


async def test_a_revoked_key_is_rejected_within_a_second_although_it_is_cached(
    tmp_path: Path,
) -> None:
    engine = SqliteEngine(tmp_path, SteppedClock())
    key = engine.administration.create_key("acme", Role.MEMBER, None)
    async with engine.lookup() as lookup:
        authenticator = Authenticator(lookup, "", system_clock)
        assert (await authenticator.caller(shown(key))).role is Role.MEMBER
        engine.administration.revoke_key(key.key_id)
        assert await seconds_until_rejected(authenticator, key) < 1


async def test_an_expired_key_is_rejected_at_once_although_it_is_cached(tmp_path: Path) -> None:
    clock = SteppedClock()
    engine = SqliteEngine(tmp_path, clock)
    key = engine.administration.create_key("acme", Role.MEMBER, STARTED_US + 2)
    async with engine.lookup() as lookup:
        authenticator = Authenticator(lookup, "", clock)
        clock.now_us += 1
        await authenticator.caller(shown(key))
        clock.now_us += 1
        with pytest.raises(Unauthenticated):
            await authenticator.caller(shown(key))
