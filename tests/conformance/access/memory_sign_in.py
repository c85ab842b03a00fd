"""Codes of sign-in links in memory: the contract in its plainest form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.conformance.access.memory_store import MemoryKeyStore

from vumeter_server.access.keys import secret_digest
from vumeter_server.access.sign_in import (
    CODE_FOR_US,
    EXPIRED_KEYS_STAY_FOR_US,
    KEYS_FOR_US,
    SignInKey,
    new_code,
    roles_of,
)
from vumeter_server.runtime.actors import SERVER
from vumeter_server.runtime.clock import Clock


class MemorySignIn:
    """Implements SignInAdministration and SignInCodes."""

    def __init__(
        self, store: MemoryKeyStore, clock: Clock, deletion_us: Callable[[], int | None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._deletion_us = deletion_us
        self._codes: dict[bytes, tuple[int, str, bool, int]] = {}
        self._created: dict[str, int] = {}

    def create_code(self, organization: str, *, for_live: bool) -> str | None:
        number = self._store.organization_id(organization)
        if number is None:
            return None
        code = new_code()
        expires_us = self._clock() + CODE_FOR_US
        self._codes[secret_digest(code)] = (number, organization, for_live, expires_us)
        self._store.audit.add("sign_in.create", organization, details={"live": for_live})
        return code

    async def redeem(self, code_sha256: bytes) -> Sequence[SignInKey]:
        self._store.check_available()
        number, organization, for_live, expires_us = self._codes.get(code_sha256, (0, "", False, 0))
        self._codes.pop(code_sha256, None)
        now_us = self._clock()
        if expires_us <= now_us or self._store.organization_id(organization) != number:
            return ()
        deletion_us = self._deletion_us()
        for key_id, until_us in list(self._created.items()):
            if deletion_us is not None and until_us <= deletion_us - EXPIRED_KEYS_STAY_FOR_US:
                self._store.drop_key(key_id)
                del self._created[key_id]
        keys = []
        for role in roles_of(for_live=for_live):
            until_us = now_us + KEYS_FOR_US
            key = self._store.add_key(organization, role, until_us, None, None)
            self._created[key.key_id] = until_us
            details = {"role": role.value, "by": "sign_in"}
            self._store.audit.add(
                "key.create", organization, actor=SERVER, target=key.key_id, details=details
            )
            keys.append(SignInKey(key=key, role=role, expires_us=until_us))
        return keys
