"""The contract of a store of custom metrics: everything it promises.

Whoever writes another store needs this module, `questions`, `model`, `aggregation` and
`validation.settle`.
Times are microseconds since the epoch; ranges are half-open.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import (
    DeleteQuery,
    ExportedPoints,
    ExportQuery,
    Grouped,
    GroupedQuery,
    MetricInfo,
    SessionMetric,
    SumQuery,
    Sums,
    TagValues,
    TagValuesQuery,
    Timeseries,
    TimeseriesQuery,
)
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits
from vumeter_server.times.units import HOUR_US

T = TypeVar("T")

IDEMPOTENCY_KEYS_KEPT_US: Final = 48 * HOUR_US
"""Twice the 24 hours that callers are promised."""


AskGrouped = Callable[[GroupedQuery], Grouped]
"""Answers a query; called on the thread that it was given to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Idempotency:
    """A caller's key for a recording, and the hash of what it records."""

    key: str
    content_sha256: bytes


class MetricStore(Protocol):
    """Keeps points and answers queries, of one organization at a time.

    This is all that a store has to know; the suite in `tests/conformance/custom_metrics` holds it
    to every sentence.

    **Organizations.** `organization_id` is of an organization that exists. Nothing that one
    organization records is ever seen by another: points, names, types, tags, sessions and
    idempotency keys are its own.

    **One moment.** A query sees all of a batch or nothing of it, and everything that was recorded
    or deleted before it was asked. Batches have an order, in which they were stored: a batch whose
    `record` was called after another's returned comes after it. Within a batch points come in the
    order given. "Recorded last" below means last in that order.

    **Numbers.** Sums are exact but for one rounding: they differ from the sum of the exact values
    by at most 2^-52 of it plus 1e-22, so whole values are exact up to 2^53. Counts and percentiles
    are exact. No number depends on the order of the points, on how a store keeps them, or on what
    it did to them meanwhile. What each function means stands in `aggregation`.

    **Background work.** Flushing, compaction and whatever else a store does to what it keeps never
    shows in an answer, not even while it goes on. Retention does, see `run`.

    **Event loop.** Coroutines are called on the event loop, many at a time, and hold it up for no
    longer than about a millisecond. A query that is cancelled stops soon. Whether a batch was
    stored whose `record` was cancelled is open; its idempotency key finds out.

    **Processes.** One process records and runs the background work. Others may query the same data
    meanwhile; what they see is of one moment, and no older than what was recorded when they asked.

    **Errors.** Everything raises Unavailable when storage is busy, full or failing, and then has
    stored nothing. Callers have checked what they pass; a store checks only what is said here.
    """

    async def record(
        self,
        organization_id: int,
        batch: Batch,
        *,
        idempotency: Idempotency | None,
        now_us: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> int:
        """Store a batch, all of it or nothing, and return how many points it held, maybe 0.

        In one transaction: what was stored is read (types of metrics, the idempotency key),
        `validation.settle` fixes types and defaults, and points, types of new metrics and the key
        are stored. So two calls with one key, or with two types for one new metric, never both win,
        however many run at a time. When it returns, all that survives a crash and a power cut.

        An idempotency key that is known with the same content stores nothing and returns what the
        first call did, whatever was recorded or deleted meanwhile; a rejected batch does not use
        its key up. Keys are known for at least IDEMPOTENCY_KEYS_KEPT_US after `now_us` of their
        call, by the store's clock.

        The organization keeps its limits. Its metrics are those that `names` lists. A value of a
        label, `agent_id` and `environment_id` among them, that no point has is stored as
        `limits.OTHER` if the label has `limits.label_values` others. Then a label set that no point
        was recorded with is stored in the first of its forms (`limits.forms_of`) for which there is
        room, or that some point was recorded with. Values and label sets whose points were deleted
        are new again, see `UsageStore.stored`. Within a batch label sets come in their order.

        Raises:
            Conflict: the key is known with other content; the violation names `idempotency_key`.
            InvalidArgument: from `settle`, for a type or value that does not suit its metric.
            LimitExceeded: from `limits.check_metrics`, for a metric beyond the limit; or there is
                no room for a label set in any form, or the organization has as many metrics or tag
                values as the store can take.
        """

    async def check(
        self, organization_id: int, batch: Batch, *, idempotency: Idempotency | None, now_us: int
    ) -> int:
        """Return or raise what `record` would, but for LimitExceeded; change nothing.

        The types of new metrics stay open, and so does the idempotency key.
        """

    async def delete_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Delete the points that a query is about, and return how many; maybe 0.

        All points that were recorded when it was called; those that are recorded while it goes on
        may stay. All or nothing: queries see all of these points until, at one moment, none of them
        sees any, in any process. When it returns that moment is past, and no crash brings a point
        back. If it is cut short, by a crash or because its caller is cancelled, or raises, it is
        open whether the points are deleted now, later or not at all, but never some of them without
        the others; calling it again makes sure. After StorageDamaged nothing was deleted.

        Everything that is computed in advance is made again, and the space is given back, soon
        after it returns. Recording goes on meanwhile, and waits no longer than for a flush.

        Idempotency keys stay used, so that a late repeat of a recording brings no point back. Types
        stay: a metric that lost all its points is not listed by `names`, and keeps its type. What a
        deleted point had and no point has any more goes: the metric's name in `names`, with and
        without its agent; its labels in `tags` and `tag_values`; its session.
        """

    async def count_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Return how many points `delete_points` would delete; change nothing."""

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything that was recorded for an organization, idempotency keys too.

        Called when the organization is deleted and no caller can reach it any more; a recording
        that is under way is rejected with Unauthenticated. Queries see all of it or nothing. It can
        be cut short and repeated. Recording of others goes on meanwhile, and does not wait long.
        """

    def export_points(
        self, organization_id: int, query: ExportQuery
    ) -> AsyncGenerator[ExportedPoints, None]:
        """Yield the points that a query is about, at most `validation.MAX_POINTS` at a time.

        They come in order of time; those of one time by name of their metric, by code point; those
        of one metric and time in the order of recording. All are of one moment, at or after that at
        which the first is asked for: whatever is recorded, deleted or rearranged meanwhile, and
        however long it takes, none is missing and none is new. A distribution comes with what it
        is, its value being its sum.

        Its memory does not grow with how many there are; nor does it, however slowly it is read,
        hold up what others do or keep what storage would give back, but for a copy of its own. That
        goes when it is closed, or with the process.

        Raises:
            Unavailable: too many are under way.
        """

    async def names(self, organization_id: int, agent_id: str | None) -> list[str]:
        """Return the names of metrics, sorted by code point.

        With `agent_id` those that a point of this agent was recorded of. A metric is listed from
        its first point until it or all its points are deleted, even when retention has dropped all
        its points.
        """

    async def metrics(self, organization_id: int) -> list[MetricInfo]:
        """Return the metrics that `names` lists, sorted by name by code point."""

    async def sums(self, organization_id: int, query: SumQuery) -> Sums:
        """Sum the points of the selection by metric, group and period, whatever their type.

        There is a row for each period and group with a point of a metric asked for, so none for an
        empty range. A metric asked for by name that there is not, or not in the range, is a column
        of zeros.

        Raises:
            InvalidArgument: from `aggregation.check_cells`, for too many rows x metrics.
        """

    async def timeseries(self, organization_id: int, query: TimeseriesQuery) -> Timeseries:
        """Compute the function of the metric's type of each bucket with a point.

        The type is answered without a point in the range too; None if there is no such metric.
        """

    async def at_one_moment(self, organization_id: int, work: Callable[[AskGrouped], T]) -> T:
        """Run `work` on a thread and return what it does, or raise what it raises.

        `work` is given a function that computes functions of metrics by group and bucket. All that
        it asks is of one moment, however much is recorded, deleted or rearranged meanwhile. Every
        value is what `aggregation` says of the points of that bucket and group, whatever the type
        of the metric. The function raises InvalidArgument, from `aggregation.check_cells`, for more
        than `max_cells`.
        """

    async def tags(
        self, organization_id: int, metric_name: str | None, agent_id: str | None, limit: int
    ) -> dict[str, TagValues]:
        """Return the user labels of points of the metric and agent, or of all.

        Keys are in order of code point, and so are the first `limit` values of each, from 1 to
        `aggregation.MAX_TAG_VALUES`. Labels that only deleted metrics or points had are not listed;
        labels whose points retention has dropped are.
        """

    async def tag_values(
        self, organization_id: int, query: TagValuesQuery
    ) -> list[tuple[str, str]]:
        """Return user labels as pairs of key and value, in order of code point.

        The labels are those that `tags` lists, but of each key all values, however many it has.
        """

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        """Return an entry for each metric and label set of a session, [] if it is not known.

        Sorted by metric name, then by the pairs of labels, which are sorted by key. The value is
        what `aggregation.OF_SESSIONS` asks of the metric's type.
        """

    async def upgrade(self, on_progress: Callable[[int, int], None]) -> None:
        """Bring data that an earlier version wrote to this version's form.

        Called once by the process that records, before anything else. `on_progress` gets how
        many of how many steps are done. It may be interrupted at any time, and then goes on where
        it was. Answers are the same before and after.
        """

    async def run(self) -> None:
        """Do the background work, until cancelled; a failure is logged and tried again.

        Retention: points are dropped by days (UTC). A day is dropped, within about a day, once more
        than `retention_days` (given to the store) days lie between today, by the store's clock, and
        both this day and the day on which a point of it was recorded last. So what is recorded with
        times long past is kept as long as anything else. All of a day goes at once, for sums,
        buckets and sessions alike. Names, types and tags stay.

        Idempotency keys older than IDEMPOTENCY_KEYS_KEPT_US are forgotten soon.
        """


class PointAdministration(Protocol):
    """What the commands that delete points ask of storage, as MetricAdministration."""

    def count_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Do as `MetricStore.count_points`."""

    def delete_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Do as `MetricStore.delete_points`, to the end whatever becomes of the command."""


class MetricAdministration(Protocol):
    """What the commands ask of storage, beside a running server or without one.

    Organizations go by name here. Raises an error with one line for the operator when storage is
    busy, full or failing.
    """

    def list_metrics(self, organization: str) -> list[MetricInfo] | None:
        """Return the metrics of an organization, by name; None if there is no such organization."""

    def delete_metric(self, organization: str, name: str) -> bool:
        """Delete a metric with its points; False if there is none of that name.

        When it returns, no query sees the metric any more, in any process, and its type is
        forgotten: the name is free for another. All of it goes or, after a crash, nothing.
        Sessions and labels that only this metric had go with it. Idempotency keys stay, so a late
        repeat does not bring points back.
        """
