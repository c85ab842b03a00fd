"""Deletion of tenants and retention: an entry takes rows from sight, then they are removed.

What an entry takes from sight no query sees any more, on any server; the rows are still there.
Removing them is a mutation, which can be cut short and repeated, also by another server: it only
touches rows that do not count. What says that they do not is removed last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from vumeter_server.clickhouse import Parameter
from vumeter_server.live_metrics.clickhouse.contents import calls_of, count_events
from vumeter_server.live_metrics.clickhouse.draft import LiveDraft
from vumeter_server.live_metrics.clickhouse.log import LiveLog, LiveWrite
from vumeter_server.live_metrics.clickhouse.rows import LOG, LiveRowKind
from vumeter_server.live_metrics.clickhouse.state import LiveState
from vumeter_server.live_metrics.store import TenantContents

CALLS_DROPPED_TOGETHER: Final = 10_000
REMOVED_EVERY_SECONDS: Final = 6 * 3_600.0
"""Removing rewrites much of the table, so dropped rows stay for so long."""
ENTRIES_KEPT: Final = 100_000
"""How many of the last entries keep their row, by which a server that is late finds them."""


# A mutation of replicated tables may not ask what else is there, unless it always finds the same.
_REMOVING: Final = {"allow_nondeterministic_mutations": 1}


class LiveRemoval:
    """Deletes tenants and drops what is old."""

    def __init__(self, log: LiveLog) -> None:
        self._log = log
        self._table = log.table
        # Those of one server do not race each other.
        self._removing = asyncio.Lock()
        self._removed_at = float("-inf")

    async def delete_tenant(self, tenant_id: str) -> TenantContents | None:
        """Take a tenant from sight, and then remove its rows."""
        found: TenantContents | None = None
        calls: Mapping[str, int] = {}

        async def prepare(state: LiveState) -> None:
            nonlocal found, calls
            found, calls = None, {}
            if tenant_id in state.tenants:
                calls = await calls_of(self._table, tenant_id)
                events = await count_events(self._table, state.visibility, tenant_id)
                found = TenantContents(events=events, calls=len(calls))

        def write(draft: LiveDraft) -> TenantContents | None:
            if found is not None:
                draft.delete_tenant(tenant_id, calls)
            return found

        deleted = await self._log.append(LiveWrite(write=write, prepare=prepare, is_alone=True))
        await self.finish_deletions()
        return deleted

    async def finish_deletions(self) -> None:
        """Remove the rows of deleted tenants."""
        if not self._log.state.visibility.deleted:
            return
        async with self._removing:
            await self._log.catch_up()
            deleted = dict(self._log.state.visibility.deleted)
            if deleted:
                await self._remove(deleted)
            for tenant_id, seq in deleted.items():
                await self._log.append(LiveWrite(write=_finishing(tenant_id, seq), is_alone=True))
            if deleted:
                # A server that has not read that it is finished removes once more.
                await self._delete(
                    f"kind = {LiveRowKind.DELETION:d} AND seq <= {self._log.state.seq:d}"
                    " AND name IN {names:Array(String)}",
                    {"names": sorted(deleted.keys() - self._log.state.visibility.deleted.keys())},
                )

    async def drop_received_before(self, before_us: int) -> None:
        """Take what is old from sight, and now and then remove it."""
        await self.finish_deletions()

        def drop_events(draft: LiveDraft) -> bool:
            if before_us <= draft.state.visibility.dropped_before_us:
                return False
            draft.drop_received_before(before_us)
            return True

        # Events first: a repeat of an event must never meet another number of its call.
        has_dropped = await self._log.append(LiveWrite(write=drop_events, is_alone=True))
        while await self._drop_calls(before_us):
            has_dropped = True
        now = asyncio.get_running_loop().time()
        if has_dropped and now - self._removed_at > REMOVED_EVERY_SECONDS:
            async with self._removing:
                await self._remove({})
            self._removed_at = now

    async def _drop_calls(self, before_us: int) -> int:
        """Take some calls from sight; return how many."""
        calls: list[tuple[str, int]] = []

        async def prepare(state: LiveState) -> None:
            found = await self._table.clickhouse.query(
                f"SELECT name, at FROM {self._table.name} FINAL"
                f" WHERE log = {LOG} AND kind = {LiveRowKind.CALL:d} AND stage = 0"
                f" AND received_us < {before_us:d}"
                f" AND at NOT IN (SELECT at FROM {self._table.local}"
                f" WHERE log = {LOG} AND kind = {LiveRowKind.GONE_CALL:d})"
                f" LIMIT {CALLS_DROPPED_TOGETHER}"
            )
            names, numbers = (found.column(name).to_pylist() for name in ("name", "at"))
            calls[:] = zip(names, numbers, strict=True)

        def write(draft: LiveDraft) -> int:
            draft.forget_calls(calls)
            return len(calls)

        return await self._log.append(LiveWrite(write=write, prepare=prepare, is_alone=True))

    async def _remove(self, deleted: Mapping[str, int]) -> None:
        """Remove the rows that do not count, and then what says so."""
        state = self._log.state
        gone = f"kind = {LiveRowKind.GONE_CALL:d} AND seq <= {state.seq:d}"
        of_calls = _kinds(LiveRowKind.EVENT, LiveRowKind.CALL, LiveRowKind.REPORT, LiveRowKind.MARK)
        conditions = [
            f"{of_calls} AND call_no IN"
            f" (SELECT at FROM {self._table.local} WHERE log = {LOG} AND {gone})",
            f"{_kinds(LiveRowKind.EVENT, LiveRowKind.MARK)}"
            f" AND received_us < {state.visibility.dropped_before_us:d}"
            f" AND seq < {state.visibility.dropped_at:d}",
            f"kind = {LiveRowKind.TOTALS:d} AND at < {state.epoch.number:d}",
            f"kind = {LiveRowKind.ENTRY:d} AND at < {state.seq - ENTRIES_KEPT:d}",
        ]
        of_tenants = []
        values: dict[str, Parameter] = {}
        for index, (tenant_id, seq) in enumerate(deleted.items()):
            tenant = f"{{tenant_{index}:String}}"
            values[f"tenant_{index}"] = tenant_id
            conditions += [
                f"kind = {LiveRowKind.MARK:d} AND name = {tenant} AND seq <= {seq:d}",
                f"kind = {LiveRowKind.EVENT:d} AND tenant = {tenant} AND seq <= {seq:d}",
            ]
            held = _kinds(LiveRowKind.TENANT, LiveRowKind.TOTALS)
            conditions.append(f"{held} AND name = {tenant} AND seq < {seq:d}")
            of_tenants.append(f"{held} AND name = {tenant} AND seq = {seq:d}")
        through = state.seq
        await self._delete(f"seq <= {through:d} AND ({_any(conditions)})", values)
        # A server that is behind reads everything again, for it cannot learn from these any more.
        await self._log.append(
            LiveWrite(write=lambda draft: draft.remove_what_is_gone(through), is_alone=True)
        )
        await self._delete(_any([gone, *of_tenants]), values)

    async def _delete(self, condition: str, values: Mapping[str, Parameter]) -> None:
        layout = self._table.clickhouse.layout
        statement = (
            f"ALTER TABLE {self._table.local}{layout.everywhere}"
            f" DELETE WHERE log = {LOG} AND ({condition})"
        )
        nodes = self._table.clickhouse.nodes
        await asyncio.gather(
            *(node.command(statement, values, settings=_REMOVING) for node in nodes)
        )


def _finishing(tenant_id: str, seq: int) -> Callable[[LiveDraft], None]:
    def write(draft: LiveDraft) -> None:
        # It may have been deleted once more meanwhile.
        if draft.state.visibility.deleted.get(tenant_id) == seq:
            draft.finish_deletion(tenant_id)

    return write


def _kinds(*kinds: LiveRowKind) -> str:
    return f"kind IN ({', '.join(f'{kind:d}' for kind in kinds)})"


def _any(conditions: list[str]) -> str:
    return " OR ".join(f"({each})" for each in conditions)
