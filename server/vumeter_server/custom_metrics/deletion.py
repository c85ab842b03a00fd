"""The use case of deletion: check what an API or a command parsed, then delete or just count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vumeter_server.custom_metrics.labels import check_metric_names
from vumeter_server.custom_metrics.matchers import Matcher, check_matchers
from vumeter_server.custom_metrics.questions import END_OF_TIME_US, DeleteQuery
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteRequest:
    """Which points to delete, as it was asked.

    Attributes:
        start_us: the first instant, in microseconds since the epoch; None for no bound.
        end_us: the first instant after the range; None for no bound.
        metric_names: of which metrics; none for all.
        filters: what points have to match.
        dry_run: whether they are just counted.
    """

    start_us: int | None = None
    end_us: int | None = None
    metric_names: Sequence[str] = ()
    filters: Sequence[Matcher] = ()
    dry_run: bool = False


def delete_query(request: DeleteRequest) -> DeleteQuery:
    """Return what a request asks of the store.

    Raises InvalidArgument naming `filters` if it does not narrow at all what is deleted, and
    naming the field of whatever else is wrong.
    """
    start_us, end_us = request.start_us, request.end_us
    names = check_metric_names(request.metric_names)
    filters = check_matchers(request.filters, "filters")
    if start_us is None and end_us is None and not names and not filters:
        raise InvalidArgument.of("filters", "must be given where no range and no metrics are")
    if start_us is not None and end_us is not None and end_us < start_us:
        raise InvalidArgument.of("end_date", "must not be before the start of the range")
    return DeleteQuery(
        start_us=start_us or 0,
        end_us=END_OF_TIME_US if end_us is None else end_us,
        metric_names=names or None,
        filters=filters,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletion:
    """Deletes points of one organization at a time."""

    store: MetricStore

    async def delete(self, organization_id: int, request: DeleteRequest) -> int:
        """Delete points, all of them or none, and return how many; a dry run only counts them."""
        query = delete_query(request)
        act = self.store.count_points if request.dry_run else self.store.delete_points
        return await act(organization_id, query)
