"""Background work: old days are dropped, and what is hidden or outdated is removed from the tables.

Any number of servers may do it at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

from vumeter_server.access.audit import AuditLog
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog
from vumeter_server.custom_metrics.clickhouse.catalogs import rows_of
from vumeter_server.custom_metrics.clickhouse.changes import HiddenPoints
from vumeter_server.custom_metrics.clickhouse.conditions import Parameters
from vumeter_server.custom_metrics.clickhouse.log import MetricLog
from vumeter_server.custom_metrics.clickhouse.proposals import Place, Proposal
from vumeter_server.custom_metrics.clickhouse.rows import Hides, LogRowKind, NewEntry
from vumeter_server.custom_metrics.clickhouse.schema import POINTS, REJECTIONS
from vumeter_server.custom_metrics.settle_exported import STATES_KEPT_US
from vumeter_server.custom_metrics.store import IDEMPOTENCY_KEYS_KEPT_US
from vumeter_server.custom_metrics.usage_store import first_hour
from vumeter_server.runtime.actors import SERVER
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.periodic import run_periodically
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import DAY_US, MINUTE_US

CHECK_EVERY_SECONDS: Final = 60.0
REJECTIONS_KEPT_US: Final = 30 * DAY_US
_KEPT_US: Final[Mapping[LogRowKind, int]] = {
    LogRowKind.KEY: IDEMPOTENCY_KEYS_KEPT_US,
    LogRowKind.SERIES_STATES: STATES_KEPT_US,
    LogRowKind.REJECTION: REJECTIONS_KEPT_US,
}
_REMOVED: Final = "JSONExtract(payload, 'removed', 'Array(Int64)')"
REMOVED_AFTER_US: Final = 10 * MINUTE_US
"""Points stay so long after they were hidden: whatever began to read them before is over."""


class ClickHouseMaintenance:
    """Drops and removes what is not kept."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        log: MetricLog,
        audit: AuditLog | None,
        clock: Clock,
        *,
        retention_days: int,
        deletion_us: Callable[[], int | None] | None,
    ) -> None:
        self._clickhouse = clickhouse
        self._log = log
        self._audit = audit
        self._clock = clock
        self._deletion_us = deletion_us or clock
        self._retention_days = retention_days
        self._done_on: int | None = None
        self._local = clickhouse.layout.local(POINTS)

    async def run_forever(self) -> NoReturn:
        """Do all of it, until cancelled; without an audit it would leave what is too old."""
        if self._audit is None:
            raise RuntimeError("a server notes what it drops")
        await run_periodically("custom_metrics", self._run, every_seconds=CHECK_EVERY_SECONDS)

    async def _run(self) -> None:
        today = self._clock() // DAY_US
        if today != self._done_on:
            # It goes through all organizations, and rewrites much of the tables.
            await self.drop_expired()
            await self.remove_hidden()
            await self.forget_outdated()
            self._done_on = today
        else:
            await self.remove_hidden(hidden_after_us=self._clock() - DAY_US)

    async def drop_expired(self) -> None:
        """Hide the days that are not kept any more."""
        now_us = self._deletion_us()
        if now_us is None or self._audit is None:
            return
        before = now_us // DAY_US - self._retention_days
        # What the others have is not read: catalogs are large, and organizations many.
        for organization_id in await self._organizations(
            f"metric != '' AND time_us < {before * DAY_US}"
        ):
            days = await self._log.catalogs.use(
                organization_id, lambda catalog: _expired(catalog, before)
            )
            if days:
                await self._audit.append(
                    SERVER,
                    "retention.drop_days",
                    organization_id=organization_id,
                    details={
                        "days": len(days),
                        "last_day": format_rfc3339(max(days) * DAY_US)[:10],
                    },
                )
                await self._log.append(organization_id, _dropping(before, now_us))

    async def remove_hidden(
        self, *, after_us: int = REMOVED_AFTER_US, hidden_after_us: int = 0
    ) -> None:
        """Remove what has been hidden for `after_us`, and was since `hidden_after_us`."""
        before_us = self._clock() - after_us
        hides, removes = (f"number = {int(each)}" for each in (Hides.HIDES, Hides.REMOVES))
        is_due = f"{hides} AND logged_us >= {hidden_after_us} AND logged_us <= {before_us}"
        hidden_seqs = f"groupArrayIf(time_us, {is_due})"
        for organization_id in await self._organizations(
            f"metric = '' AND kind = {int(LogRowKind.ENTRY)} AND ({hides} OR {removes})",
            f"NOT hasAll(groupArrayArrayIf({_REMOVED}, {removes}), {hidden_seqs})",
        ):
            hidden = await self._log.catalogs.use(organization_id, lambda catalog: catalog.hidden)
            due = [each for each in hidden if each.hidden_us <= before_us]
            for each in due:
                await self._remove(organization_id, each)
            if due:
                await self._log.append(organization_id, _removed([each.seq for each in due]))

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything of an organization: no query sees it any more, and then it is gone."""

        def propose(place: Place, entry: NewEntry) -> int:
            entry.change.forgets_everything = True
            entry.change.hidden = HiddenPoints(
                seq=place.seq, hidden_us=self._clock(), through=place.seq
            )
            return place.seq

        seq = await self._log.append(organization_id, Proposal(propose=propose, is_alone=True))
        await self._delete(f"organization = {organization_id} AND seq < {seq}", Parameters())
        await self._delete(f"organization = {organization_id}", Parameters(), REJECTIONS)
        await self._log.append(organization_id, _removed([seq]))

    async def forget_outdated(self) -> None:
        """Remove what of logs is not needed any more, and old rejections.

        These are entries that say nothing of the catalog, but for the last one of a log; states of
        series after which there are newer ones; and what is older than it is kept.
        """
        now_us = self._deletion_us()
        if now_us is None:
            return
        conditions = [
            f"(kind = {int(kind)} AND logged_us < {now_us - kept_us})"
            for kind, kept_us in _KEPT_US.items()
        ]
        old = f"logged_us < {now_us - DAY_US}"
        conditions += [
            f"(kind = {int(LogRowKind.ENTRY)} AND payload = '' AND {old}"
            f" AND {self._is_not_last(LogRowKind.ENTRY, 'organization')})",
            f"(kind = {int(LogRowKind.SERIES_STATES)} AND {old}"
            f" AND {self._is_not_last(LogRowKind.SERIES_STATES, 'organization, session')})",
        ]
        await self._delete(f"metric = '' AND ({' OR '.join(conditions)})", Parameters())
        await self._delete(f"hour < {first_hour(now_us)}", Parameters(), REJECTIONS)

    def _is_not_last(self, kind: LogRowKind, of: str) -> str:
        """Return the condition that a row of the log has a later one with the same columns."""
        last = (
            f"SELECT {of}, max(time_us) FROM {self._local}"
            f" WHERE metric = '' AND kind = {int(kind)} GROUP BY {of}"
        )
        return f"({of}, time_us) NOT IN ({last})"

    async def _organizations(self, where: str, having: str = "true") -> Sequence[int]:
        """Return the organizations that have such rows."""
        found = await self._clickhouse.query(
            f"SELECT organization FROM {self._clickhouse.layout.reads(POINTS)}"
            f" WHERE {where} GROUP BY organization HAVING {having}"
        )
        return [organization_id for (organization_id,) in rows_of(found)]

    async def _remove(self, organization_id: int, hidden: HiddenPoints) -> None:
        parameters = Parameters()
        condition = (
            f"organization = {organization_id} AND metric != '' AND {parameters.is_about(hidden)}"
        )
        await self._delete(condition, parameters)

    async def _delete(self, condition: str, parameters: Parameters, name: str = POINTS) -> None:
        layout = self._clickhouse.layout
        for node in self._clickhouse.nodes:
            found = await node.query(
                f"SELECT 1 FROM {layout.local(name)} WHERE {condition} LIMIT 1", parameters.values
            )
            # Where there are replicas, any shard may have some.
            if found.num_rows or layout.on_cluster:
                await node.command(
                    f"ALTER TABLE {layout.local(name)}{layout.everywhere} DELETE WHERE {condition}",
                    parameters.values,
                    settings={"allow_nondeterministic_mutations": 1},
                )


def _expired(catalog: MetricCatalog, before: int) -> list[int]:
    return [day for day, on in catalog.recorded_on.items() if max(day, on) < before]


def _dropping(before: int, now_us: int) -> Proposal[None]:
    def propose(place: Place, entry: NewEntry) -> None:
        days = _expired(place.catalog, before)
        if days:
            entry.change.hidden = HiddenPoints(
                seq=place.seq, hidden_us=now_us, through=place.seq, days=days
            )

    return Proposal(propose=propose, is_alone=True)


def _removed(numbers: list[int]) -> Proposal[None]:
    def propose(place: Place, entry: NewEntry) -> None:
        there = {each.seq for each in place.catalog.hidden}
        entry.change.removed = [seq for seq in numbers if seq in there]

    return Proposal(propose=propose, is_alone=True)
