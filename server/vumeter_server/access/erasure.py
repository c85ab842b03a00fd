"""Erases what deleted organizations recorded, step by step, until nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

import structlog

from vumeter_server.access.store import DeletedOrganizations, OrganizationData
from vumeter_server.runtime.periodic import run_periodically

# Longer than keys are cached: by then no caller of the organization is answered any more.
LOOKS_EVERY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Erasure:
    """Erases deleted organizations from every store; one process does it."""

    def __init__(
        self, organizations: DeletedOrganizations, stores: Sequence[OrganizationData]
    ) -> None:
        self._organizations = organizations
        self._stores = stores
        self._known: set[int] = set()

    async def erase_all(self) -> None:
        """Erase every deleted organization; nobody may be able to reach any of them."""
        for organization_id in await self._organizations.unerased():
            await self.erase(organization_id)

    async def run(self) -> NoReturn:
        """Erase organizations soon after they are deleted, until cancelled."""
        await run_periodically("erasure", self._step, every_seconds=LOOKS_EVERY_SECONDS)

    async def _step(self) -> None:
        """Erase those that were deleted a step ago, so that no key of them is cached."""
        unerased = await self._organizations.unerased()
        for organization_id in unerased:
            if organization_id in self._known:
                await self.erase(organization_id)
        self._known = set(unerased)

    async def erase(self, organization_id: int) -> None:
        """Erase a deleted organization that nobody is able to reach; any process may, at one time.

        It can be cut short and repeated.
        """
        for store in self._stores:
            await store.forget_organization(organization_id)
        await self._organizations.set_erased(organization_id)
        _log.info("organization_erased", organization_id=organization_id)
