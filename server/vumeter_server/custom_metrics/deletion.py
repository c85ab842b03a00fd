"""The use case of deletion: check what an API or a command parsed, then delete or just count."""

from __future__ import annotations

from dataclasses import dataclass

from vumeter_server.access.audit import AuditLog
from vumeter_server.access.authenticator import Caller
from vumeter_server.custom_metrics.asked_points import AskedPoints, check_points, in_words
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteRequest(AskedPoints):
    """Which points to delete, as it was asked; `dry_run` says that they are just counted."""

    dry_run: bool = False


def delete_query(request: DeleteRequest) -> DeleteQuery:
    """Return what a request asks of the store.

    Raises InvalidArgument naming `filters` if it does not narrow at all what is deleted, and
    naming the field of whatever else is wrong.
    """
    checked = check_points(request)
    is_bounded = request.start_us is not None or request.end_us is not None
    if not is_bounded and checked.metric_names is None and not checked.filters:
        raise InvalidArgument.of("filters", "must be given where no range and no metrics are")
    return DeleteQuery(**checked._asdict())


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletion:
    """Deletes points of one organization at a time."""

    store: MetricStore
    audit: AuditLog

    async def delete(self, caller: Caller, request: DeleteRequest) -> int:
        """Delete points, all of them or none, and return how many; a dry run only counts them."""
        query = delete_query(request)
        if request.dry_run:
            return await self.store.count_points(caller.organization_id, query)
        await self.audit.append(
            caller.actor,
            "points.delete",
            organization_id=caller.organization_id,
            details=in_words(request),
        )
        return await self.store.delete_points(caller.organization_id, query)
