"""What goes with an organization that a command deletes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vumeter_server.access.store import KeyAdministration
from vumeter_server.commands.deleting import counted
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.simulation.store import SimulationContents, SimulationStore


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationContents:
    """What goes with an organization."""

    keys: int
    metrics: int
    points: int
    simulation: SimulationContents

    def __str__(self) -> str:
        """Return the counts in words."""
        return ", ".join(
            (
                counted(self.keys, "key"),
                counted(self.metrics, "metric"),
                counted(self.points, "point"),
                counted(self.simulation.run_tests, "run test"),
                counted(self.simulation.executions, "execution"),
                counted(self.simulation.calls, "simulated call"),
            )
        )


class OrganizationDeletion(Protocol):
    """Deletes and counts what belongs to organizations."""

    def count(self, organization: str, organization_id: int) -> OrganizationContents:
        """Count what goes with an organization."""

    def delete(self, organization: str) -> bool:
        """Delete an organization, and wait until nothing is left; False if there is none.

        Nobody sees it from the first moment on, whatever becomes of the command: then a running
        server, or the next one, erases the rest.
        """


def count_keys(keys: KeyAdministration, organization: str) -> int:
    """Return how many keys an organization has."""
    return sum(each.organization == organization for each in keys.list_keys())


async def count_contents(
    keys: int, metrics: MetricStore, simulation: SimulationStore, organization_id: int
) -> OrganizationContents:
    """Count what goes with an organization that has so many keys."""
    return OrganizationContents(
        keys=keys,
        metrics=len(await metrics.metrics(organization_id)),
        points=await metrics.count_points(organization_id, DeleteQuery()),
        simulation=await simulation.contents(organization_id, None),
    )
