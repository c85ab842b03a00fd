"""Points, day by day: what the target lacks is recorded, what the source has no more is deleted."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vumeter_server.custom_metrics.batch_parts import points_of
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.errors import InvalidArgument
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.limits import RANGES, Limits
from vumeter_server.runtime.patience import patiently
from vumeter_server.store_migration.differences import Difference, settled
from vumeter_server.store_migration.stores import OrganizationInBoth
from vumeter_server.store_migration.windows import MetricTotal, Window, read_window, windows
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import DAY_US

KEY_PREFIX: Final = "vumeter-migration/"
"""Begins the idempotency keys of what a migration records."""

UNLIMITED: Final = Limits(**{name: most for name, (_, most) in RANGES.items()})
"""What was recorded once is copied, whatever the limits are by now."""


@dataclass(kw_only=True, slots=True)
class PointCounts:
    """How many points the source has, and how many were recorded in the target."""

    found: int = 0
    recorded: int = 0


@dataclass(kw_only=True, slots=True)
class PointMigration:
    """Copies the points of one organization.

    Attributes:
        both: the organization.
        on_points: gets how many points more are compared.
    """

    both: OrganizationInBoth
    clock: Clock
    on_points: Callable[[int], None]
    counts: PointCounts = field(default_factory=PointCounts)
    _run: str = field(default_factory=lambda: secrets.token_hex(16))
    _records: int = 0

    async def run(self, *, rounds: int) -> Sequence[Difference]:
        """Mend every day up to `rounds` times; return what differs still."""
        days = await patiently(lambda: self.both.source.metrics.days(self.both.source_id))
        of_target = await patiently(lambda: self.both.target.metrics.days(self.both.target_id))
        found: list[Difference] = []
        for day in sorted(days.keys() | of_target.keys()):
            compare = _Day(self, day, is_new=day not in of_target).compare
            found += await settled(compare, rounds=rounds)
            self.on_points(days.get(day, 0))
            await self.both.target.settle()
        return found

    async def mend(self, source: Window, target: Window, *, fix: bool) -> set[str]:
        """Compare a window, and make that of the target what that of the source is.

        Returns the metrics that differed.
        """
        extra = ~np.isin(target.hashes, source.hashes)
        missing = ~np.isin(source.hashes, target.hashes)
        # What the source has no more, or has in another order.
        stale = target.names_of(extra)
        differ = stale | source.names_of(missing)
        if fix and stale:
            query = DeleteQuery(
                start_us=source.start_us, end_us=source.end_us, metric_names=sorted(stale)
            )
            await patiently(
                lambda: self.both.target.points.delete_points(self.both.target_id, query)
            )
            codes = [code for code, name in enumerate(source.names) if name in stale]
            missing |= np.isin(source.metrics, codes)
        if fix:
            start = 0
            for batch in source.batches:
                stop = start + len(batch)
                await self._record(points_of(batch, np.flatnonzero(missing[start:stop])))
                start = stop
        return differ

    async def _record(self, batch: Batch) -> None:
        if not len(batch):
            return
        self._records += 1
        # A record whose outcome is not known is sent again under its key, so it is stored once.
        idempotency = Idempotency(
            key=f"{KEY_PREFIX}{self._run}/{self._records}", content_sha256=batch.digest()
        )
        record = self.both.target.points.record
        with contextlib.suppress(InvalidArgument):
            # A type that changed meanwhile; the next comparison shows it.
            self.counts.recorded += await patiently(
                lambda: record(
                    self.both.target_id,
                    batch,
                    idempotency=idempotency,
                    now_us=self.clock(),
                    limits=UNLIMITED,
                )
            )


class _Day:
    """A day of an organization; how many points it has counts once."""

    def __init__(self, migration: PointMigration, day: int, *, is_new: bool) -> None:
        """`is_new` says that the target has no point of the day."""
        self._migration = migration
        self._day = day
        self._is_new = is_new
        self._found = 0

    async def compare(self, fix: bool) -> Sequence[Difference]:
        """Compare the day, and mend it with `fix`."""
        of = self._migration
        start_us = self._day * DAY_US
        totals: list[tuple[Mapping[str, MetricTotal], Mapping[str, MetricTotal]]] = []
        differ: set[str] = set()
        # Once something was written, also by a try that failed, the target is read.
        is_empty, self._is_new = self._is_new and fix, False
        of_source = windows(of.both.source.points, of.both.source_id, start_us, start_us + DAY_US)
        async with contextlib.aclosing(of_source) as all_windows:
            async for source in all_windows:
                target = Window(start_us=source.start_us, end_us=source.end_us, batches=[])
                if not is_empty:
                    target = await read_window(
                        of.both.target.points, of.both.target_id, source.start_us, source.end_us
                    )
                totals.append((source.totals(), target.totals()))
                differ |= await of.mend(source, target, fix=fix)
        found = sum(each.points for ours, _ in totals for each in ours.values())
        of.counts.found += found - self._found
        self._found = found
        return [
            Difference(
                organization=of.both.organization,
                what=f"{name} on {format_rfc3339(start_us, decimals=0)[:10]}: "
                + _in_words(*(_joined(name, side) for side in zip(*totals, strict=True))),
            )
            for name in sorted(differ)
        ]


def _joined(name: str, totals: Sequence[Mapping[str, MetricTotal]]) -> MetricTotal:
    parts = [each[name] for each in totals if name in each]
    return MetricTotal(
        points=sum(part.points for part in parts), total=math.fsum(part.total for part in parts)
    )


def _in_words(source: MetricTotal, target: MetricTotal) -> str:
    if source == target:
        return (
            f"{source.points:,} points with sum {source.total:.17g} in both, with other times,"
            " labels or sessions, or in another order"
        )
    return (
        f"{source.points:,} points with sum {source.total:.17g} in the source,"
        f" {target.points:,} with {target.total:.17g} in the target"
    )
