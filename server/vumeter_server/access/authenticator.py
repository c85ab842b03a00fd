"""Checks credentials for every request, from a cache that is at most half a second old."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Final

from cachetools import TTLCache

from vumeter_server.access.keys import Credential, Role, StoredKey, secret_matches
from vumeter_server.access.store import KeyLookup
from vumeter_server.errors import Unauthenticated, Unavailable
from vumeter_server.runtime.clock import Clock

# A revoked key is refused within a second in every process.
CACHED_FOR_SECONDS: Final = 0.5
MAX_CACHED: Final = 10_000


class _NotCached:
    pass


_NOT_CACHED: Final = _NotCached()


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a request comes from: a key's organization and role."""

    organization_id: int
    role: Role
    key_id: str


class Authenticator:
    """Turns credentials into callers, and remembers when each key was last used."""

    def __init__(self, keys: KeyLookup, admin_token: str, clock: Clock) -> None:
        self._keys = keys
        self._admin_token = admin_token.encode()
        self._clock = clock
        # By the monotonic clock: a clock that is set back must not prolong a revoked key.
        self._cached: TTLCache[str, StoredKey | None] = TTLCache(
            MAX_CACHED, CACHED_FOR_SECONDS, timer=time.monotonic
        )
        self._last_used_us: dict[str, int] = {}

    async def caller(self, credential: Credential | None) -> Caller:
        """Return who shows `credential`; raises Unauthenticated, with one text for every reason."""
        if credential is None:
            raise Unauthenticated
        now_us = self._clock()
        key = await self._find(credential.key_id)
        if not secret_matches(credential.secret, key) or key is None or not key.is_good_at(now_us):
            raise Unauthenticated
        self._last_used_us[key.key_id] = now_us
        return Caller(organization_id=key.organization_id, role=key.role, key_id=key.key_id)

    def check_admin_token(self, token: str | None) -> None:
        """Raise Unauthenticated unless `token` is the server's admin token."""
        shown = (token or "").encode()
        if not hmac.compare_digest(shown, self._admin_token) or not self._admin_token:
            raise Unauthenticated

    async def save_last_used(self) -> None:
        """Hand the times of last use to storage; what cannot be kept now is kept next time."""
        used, self._last_used_us = self._last_used_us, {}
        if not used:
            return
        try:
            await self._keys.save_last_used(used)
        except Exception as error:
            self._last_used_us = used | self._last_used_us
            if not isinstance(error, Unavailable):
                raise

    async def _find(self, key_id: str) -> StoredKey | None:
        # A key id that does not exist is cached too, as None.
        found = self._cached.get(key_id, _NOT_CACHED)
        if not isinstance(found, _NotCached):
            return found
        key = await self._keys.find_key(key_id)
        self._cached[key_id] = key
        return key
