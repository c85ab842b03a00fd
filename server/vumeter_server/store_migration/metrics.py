"""What belongs to the points of an organization: types, idempotency keys, exporters' series."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from vumeter_server.custom_metrics.migration_store import (
    CopiedRecording,
    CopiedSeriesStates,
    MetricMigrationStore,
)
from vumeter_server.custom_metrics.settle_exported import STATES_KEPT_US
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US
from vumeter_server.otlp.mapping import DEFAULT_MAPPING
from vumeter_server.runtime.clock import Clock
from vumeter_server.store_migration.differences import Difference, merged
from vumeter_server.store_migration.points import KEY_PREFIX
from vumeter_server.store_migration.stores import OrganizationInBoth

T = TypeVar("T")

_KEYS_AT_ONCE: Final = 1_000
_STATES_AT_ONCE: Final = 200


@dataclass(kw_only=True, slots=True)
class MetricMigration:
    """Copies what belongs to the points of one organization."""

    both: OrganizationInBoth
    clock: Clock
    metrics: int = 0
    recordings_found: int = 0
    series_found: int = 0

    async def catalog(self, fix: bool) -> Sequence[Difference]:
        """Compare metrics with types, units and descriptions."""
        ours = {
            each.name: each for each in await self.both.source.metrics.catalog(self.both.source_id)
        }
        theirs = {
            each.name: each for each in await self.both.target.metrics.catalog(self.both.target_id)
        }
        self.metrics = len(ours)
        found = []
        for name, metric in theirs.items():
            if name not in ours or ours[name].type != metric.type:
                found.append(
                    self._difference(f"metric {name} is not in the source, or of another type")
                )
                if fix:
                    await self.both.target.metrics.forget_metric(self.both.target_id, name)
        changed = [metric for name, metric in ours.items() if theirs.get(name) != metric]
        if changed and fix:
            await self.both.target.metrics.describe(self.both.target_id, changed)
        return found + [
            self._difference(
                f"metric {metric.name} is not in the target, or is described in another way"
            )
            for metric in changed
        ]

    async def recordings(self, fix: bool) -> Sequence[Difference]:
        """Compare idempotency keys; those that are about to be forgotten do not count."""
        since_us = self.clock() - IDEMPOTENCY_KEYS_KEPT_US
        missing: list[CopiedRecording] = []
        found = lacking = others = 0
        both = merged(
            _recordings(self.both.source.metrics, self.both.source_id),
            _recordings(self.both.target.metrics, self.both.target_id),
            lambda each: each.key,
        )
        async with contextlib.aclosing(both):
            async for ours, theirs in both:
                if ours is None or ours.recorded_us < since_us:
                    continue
                if ours.key.startswith(KEY_PREFIX):
                    continue
                found += 1
                if theirs is None:
                    missing.append(ours)
                elif (ours.content_sha256, ours.recorded) != (
                    theirs.content_sha256,
                    theirs.recorded,
                ):
                    others += 1
                if len(missing) == _KEYS_AT_ONCE:
                    lacking += await self._put_recordings(missing, fix=fix)
                    missing = []
        lacking += await self._put_recordings(missing, fix=fix)
        self.recordings_found = found
        return [
            self._difference(f"idempotency keys {what}: {count:,}")
            for count, what in (
                (lacking, "that the target has not"),
                (others, "that are of other recordings in the target"),
            )
            if count
        ]

    async def series_states(self, fix: bool) -> Sequence[Difference]:
        """Compare the last values of exporters' series; what is about to be forgotten is left."""
        since_us = self.clock() - STATES_KEPT_US
        ours = await self.both.source.metrics.series_states(self.both.source_id)
        theirs = {
            _unit(each): each
            for each in await self.both.target.metrics.series_states(self.both.target_id)
        }
        ours = [each for each in ours if each.changed_us >= since_us]
        self.series_found = len(ours)
        changed = [each for each in ours if theirs.get(_unit(each)) != each]
        if fix:
            for some in _parts(changed, _STATES_AT_ONCE):
                await self.both.target.metrics.put_series_states(self.both.target_id, some)
        if not changed:
            return ()
        return [self._difference(f"states of exporters' series that differ: {len(changed):,}")]

    async def mapping(self, fix: bool) -> Sequence[Difference]:
        """Compare how attributes of OpenTelemetry are mapped."""
        ours = await self.both.source.exports.mapping(self.both.source_id)
        if ours == await self.both.target.exports.mapping(self.both.target_id):
            return ()
        if fix:
            await self.both.target.exports.set_mapping(
                self.both.target_id, None if ours == DEFAULT_MAPPING else ours
            )
        return [self._difference("the mapping of OpenTelemetry's attributes differs")]

    async def _put_recordings(self, missing: Sequence[CopiedRecording], *, fix: bool) -> int:
        if missing and fix:
            await self.both.target.metrics.put_recordings(self.both.target_id, missing)
        return len(missing)

    def _difference(self, what: str) -> Difference:
        return Difference(organization=self.both.organization, what=what)


async def _recordings(
    store: MetricMigrationStore, organization_id: int
) -> AsyncGenerator[CopiedRecording, None]:
    after = ""
    while page := await store.recordings(organization_id, after, _KEYS_AT_ONCE):
        for recording in page:
            yield recording
        after = page[-1].key


def _unit(states: CopiedSeriesStates) -> tuple[bytes, str]:
    return states.stream, states.metric_name


def _parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
