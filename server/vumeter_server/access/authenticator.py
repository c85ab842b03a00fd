"""Checks credentials for every request, from a cache that is at most half a second old."""

from __future__ import annotations

import asyncio
import hmac
import time
from dataclasses import dataclass
from typing import Final

import structlog
from cachetools import TTLCache

from vumeter_server.access.keys import Credential, StoredKey, secret_matches
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyLookup
from vumeter_server.errors import Unauthenticated, Unavailable
from vumeter_server.runtime.actors import Actor
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

# A revoked key is rejected within a second in every process.
CACHED_FOR_SECONDS: Final = 0.5
MAX_CACHED: Final = 10_000
# A disk that hangs holds nobody up for longer.
FOUND_WITHIN_SECONDS: Final = 5.0


class _NotCached:
    pass


_NOT_CACHED: Final = _NotCached()

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a request comes from: a key's organization, role and tenant."""

    organization_id: int
    role: Role
    key_id: str
    tenant_id: str | None = None
    """The only tenant that it may see and report for; None if the key is bound to none."""
    limits: Limits = DEFAULT_LIMITS
    """The limits of its organization."""

    @property
    def actor(self) -> Actor:
        """Who this is to the audit."""
        return Actor(key_id=self.key_id)


class Authenticator:
    """Turns credentials into callers, and remembers when each key was last used."""

    def __init__(
        self,
        keys: KeyLookup,
        admin_token: str,
        clock: Clock,
        default_limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Take where keys are, and the limits of organizations that have none of their own."""
        self._keys = keys
        self._default_limits = default_limits
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
        if (
            not secret_matches(credential.secret, key)
            or key is None
            or not key.is_active_at(now_us)
        ):
            raise Unauthenticated
        self._last_used_us[key.key_id] = now_us
        return Caller(
            organization_id=key.organization_id,
            role=key.role,
            key_id=key.key_id,
            tenant_id=key.tenant_id,
            limits=self._default_limits.changed_by(key.limits),
        )

    def check_admin_token(self, token: str | None) -> None:
        """Raise Unauthenticated unless `token` is the server's admin token."""
        shown = (token or "").encode()
        if not hmac.compare_digest(shown, self._admin_token) or not self._admin_token:
            raise Unauthenticated

    async def save_last_used(self) -> None:
        """Save the times of last use; what cannot be saved now is saved next time.

        Never raises, unless it is cancelled: nobody waits for these times.
        """
        used, self._last_used_us = self._last_used_us, {}
        if not used:
            return
        saved = False
        try:
            await self._keys.save_last_used(used)
            saved = True
        except Unavailable:
            _log.info("last_used_put_off", keys=len(used))
        except Exception:
            _log.exception("last_used_put_off", keys=len(used))
        finally:
            if not saved:
                # What was used again meanwhile has a newer time.
                self._last_used_us = used | self._last_used_us

    async def _find(self, key_id: str) -> StoredKey | None:
        # A key id that does not exist is cached too, as None.
        found = self._cached.get(key_id, _NOT_CACHED)
        if not isinstance(found, _NotCached):
            return found
        try:
            async with asyncio.timeout(FOUND_WITHIN_SECONDS):
                key = await self._keys.find_key(key_id)
        except TimeoutError:
            raise Unavailable("Storage is busy") from None
        self._cached[key_id] = key
        return key
