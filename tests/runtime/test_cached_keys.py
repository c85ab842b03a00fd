"""Keys are cached for half a second of the monotonic clock, whatever the time of day does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping

import pytest

from vumeter_server.access import authenticator as authenticator_module
from vumeter_server.access.authenticator import Authenticator
from vumeter_server.access.keys import Credential, StoredKey, new_key, secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyInfo
from vumeter_server.errors import Unauthenticated

HOUR_US = 3_600 * 1_000_000


class Keys:
    """A store of one key, which can be revoked, and how often it was asked."""

    def __init__(self) -> None:
        created = new_key()
        self.credential = Credential(key_id=created.key_id, secret=created.secret)
        self.digest = secret_digest(created.secret)
        self.revoked_us: int | None = None
        self.asked = 0

    async def find_key_info(self, key_id: str) -> KeyInfo | None:
        return None

    async def labels(self, key_ids: Collection[str]) -> Mapping[str, str]:
        return {}

    async def find_key(self, key_id: str) -> StoredKey | None:
        self.asked += 1
        if key_id != self.credential.key_id:
            return None
        return StoredKey(
            key_id=key_id,
            organization_id=1,
            role=Role.MEMBER,
            secret_sha256=self.digest,
            expires_us=None,
            revoked_us=self.revoked_us,
        )

    async def keys_of(self, organization_id: int, most: int) -> list[KeyInfo]:
        return []

    async def save_last_used(self, used: Mapping[str, int]) -> None:
        pass


async def ask_for(authenticator: Authenticator, credential: Credential, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await authenticator.caller(credential)
        await asyncio.sleep(0.02)


async def test_a_revoked_key_is_rejected_soon_though_the_time_of_day_stands_still() -> None:
    keys = Keys()
    authenticator = Authenticator(keys, "", lambda: HOUR_US)
    await authenticator.caller(keys.credential)
    await authenticator.caller(keys.credential)
    assert keys.asked == 1
    keys.revoked_us = HOUR_US
    with pytest.raises(Unauthenticated):
        await ask_for(authenticator, keys.credential, seconds=5)


async def test_a_key_that_does_not_exist_is_not_asked_for_again_and_again() -> None:
    keys = Keys()
    authenticator = Authenticator(keys, "", lambda: HOUR_US)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await authenticator.caller(Credential(key_id="vm_unknown", secret="x"))
    assert keys.asked == 1


async def test_so_many_keys_are_cached_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticator_module, "MAX_CACHED", 2)
    keys = Keys()
    authenticator = Authenticator(keys, "", lambda: HOUR_US)
    for key_id in ("vm_1", "vm_2", "vm_3", "vm_1"):
        with pytest.raises(Unauthenticated):
            await authenticator.caller(Credential(key_id=key_id, secret="x"))
    assert keys.asked == 4
