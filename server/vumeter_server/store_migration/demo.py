"""Which demo data was loaded, so that the target does not get it a second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vumeter_server.store_migration.differences import Difference
from vumeter_server.store_migration.stores import MigrationStores


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoMigration:
    """Copies up to when each family has demo data."""

    source: MigrationStores
    target: MigrationStores

    async def compare(self, fix: bool) -> Sequence[Difference]:
        """Compare the states of families, and mend them with `fix`."""
        ours, theirs = await self.source.demo.states(), await self.target.demo.states()
        found = []
        for family, state in ours.items():
            if theirs.get(family) != state:
                what = f"up to when {family} has demo data is another in the target"
                found.append(Difference(organization=None, what=what))
                if fix:
                    await self.target.demo.put_state(family, state)
        return found
