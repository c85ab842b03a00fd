"""Codes of sign-in links in ClickHouse: entries of the log of their organization.

So a code is exchanged once, whichever servers are asked at one time: who exchanges it appends that
it is used, together with the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vumeter_server.access.clickhouse.audit import noted
from vumeter_server.access.clickhouse.organization import (
    Organization,
    Row,
    RowKind,
    SignInCode,
    code_created,
    key_created,
)
from vumeter_server.access.clickhouse.organizations import Organizations
from vumeter_server.access.keys import new_key, secret_digest
from vumeter_server.access.sign_in import (
    CODE_FOR_US,
    EXPIRED_KEYS_STAY_FOR_US,
    KEYS_FOR_US,
    SignInKey,
    new_code,
    roles_of,
)
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.runtime.actors import SERVER, this_user
from vumeter_server.runtime.clock import Clock, system_clock


class ClickHouseSignInAdministration:
    """Creates codes, beside running servers or without one; see SignInAdministration."""

    def __init__(self, database: BlockingClickHouse, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def create_code(self, organization: str, *, for_live: bool) -> str | None:
        """Create a code; None if there is no such organization."""
        code, now_us = new_code(), self._clock()
        content = SignInCode(for_live=for_live, expires_us=now_us + CODE_FOR_US)
        rows = [
            code_created(secret_digest(code), content, now_us),
            noted(this_user(), "sign_in.create", now_us, details={"live": for_live}),
        ]

        async def job(clickhouse: ClickHouse) -> bool:
            organizations = Organizations(clickhouse)
            found = await organizations.named(organization)
            return found is not None and await organizations.change(
                found.organization_id, lambda now: rows if now.exists else None
            )

        return code if self._database.run(job) else None


class ClickHouseSignInCodes:
    """Exchanges codes for a running server; see SignInCodes."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        clock: Clock,
        deletion_us: Callable[[], int | None] | None = None,
    ) -> None:
        """Take what it needs.

        `deletion_us` returns the time by which old data may be deleted, None while the machine's
        clock is not trusted; without it that is `clock`.
        """
        self._organizations = Organizations(clickhouse)
        self._clock = clock
        self._deletion_us = deletion_us or clock

    async def redeem(self, code_sha256: bytes) -> Sequence[SignInKey]:
        """Use a code up, and create its keys."""
        found = await self._organizations.of_code(code_sha256)
        if found is None:
            return ()
        created: list[SignInKey] = []
        deletion_us = self._deletion_us()

        def exchange(organization: Organization) -> Sequence[Row] | None:
            created.clear()
            now_us = self._clock()
            code = organization.codes.get(code_sha256.hex())
            if code is None or code.expires_us <= now_us:
                return None
            created.extend(
                SignInKey(key=new_key(), role=role, expires_us=now_us + KEYS_FOR_US)
                for role in roles_of(for_live=code.for_live)
            )
            return [
                _used(code_sha256.hex(), now_us),
                *_dropped(organization, code_sha256.hex(), deletion_us, now_us),
                *(row for each in created for row in _key_rows(each, now_us)),
            ]

        await self._organizations.change(found.organization_id, exchange)
        return created


def _used(code_id: str, now_us: int) -> Row:
    """Return that a code is good no more."""
    return Row(kind=RowKind.CODE_USED, occurred_us=now_us, key_id=code_id)


def _dropped(
    organization: Organization, code_id: str, deletion_us: int | None, now_us: int
) -> list[Row]:
    """Return that codes go which nobody used, but for `code_id`, and keys of long ago."""
    if deletion_us is None:
        return []
    before_us = deletion_us - EXPIRED_KEYS_STAY_FOR_US
    codes = [
        _used(each, now_us)
        for each, code in organization.codes.items()
        if each != code_id and code.expires_us <= deletion_us
    ]
    return codes + [
        Row(kind=RowKind.KEY_DROPPED, occurred_us=now_us, key_id=key_id)
        for key_id, held in organization.keys.items()
        if held.by_sign_in
        and held.stored.expires_us is not None
        and held.stored.expires_us <= before_us
    ]


def _key_rows(created: SignInKey, now_us: int) -> list[Row]:
    return [
        key_created(
            created.key, created.role, created.expires_us, None, None, now_us, by_sign_in=True
        ),
        noted(
            SERVER,
            "key.create",
            now_us,
            target=created.key.key_id,
            details={"role": created.role.value, "by": "sign_in"},
        ),
    ]
