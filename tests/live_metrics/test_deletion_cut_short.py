"""A deletion of a tenant that ends after any of its transactions is none or whole, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.live_metrics.factories import Memory
from tests.conformance.live_metrics.random_events import RANGES, TENANTS, answers, check, received
from tests.live_metrics.stores import HOUR, MINUTE, NINE, ground

from vumeter_server.errors import Unavailable
from vumeter_server.live_metrics.model import Event, EventType
from vumeter_server.live_metrics.sqlite import deletion, verification
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.sqlite import Database, open_database
from vumeter_server.sqlite.checking import find_damage
from vumeter_server.sqlite.writer import Writer

KINDS = [EventType.ACCEPTED, EventType.STARTED]
Ranges = list[tuple[int, int, int]]


def problems(database: Database) -> list[str]:
    """Return what `vumeter db check` finds."""
    return database.read(
        lambda connection: [
            *find_damage(connection),
            *verification.find_problems(connection),
        ]
    )


@contextlib.contextmanager
def ends_after(jobs: int) -> Iterator[None]:
    """Let the writer do so many jobs more, each of few rows, and then no other."""
    left = [jobs]
    run = Writer.run

    async def run_some(self: Writer, job: Callable[..., Any], **more: Any) -> Any:
        if not left[0]:
            raise Unavailable("Shutting down")
        left[0] -= 1
        return await run(self, job, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Writer, "run", run_some)
        patched.setattr(deletion, "ROWS_AT_ONCE", 2)
        patched.setattr(deletion, "ROLLUPS_AT_ONCE", 1)
        yield


async def cut_short(work: Any, jobs: int) -> None:
    with ends_after(jobs), contextlib.suppress(Unavailable):
        await work


async def of_memory(memory: Memory, ranges: Ranges, *, deleted: str | None) -> dict[str, object]:
    """Return all answers of the oracle, or what they would be without a tenant."""
    memory = copy.deepcopy(memory)
    async with memory.store() as (store, view):
        if deleted is not None:
            await store.delete_tenant(deleted)
        return await answers(store, view, ranges)


@check(max_examples=120)
@given(
    received(),
    st.lists(RANGES, min_size=1, max_size=2),
    st.integers(0, 25),
    st.integers(0, 25),
    st.booleans(),
    st.data(),
)
def test_whenever_it_ends_all_of_a_tenant_is_there_or_nothing(
    batches: list[list[Event]],
    ranges: Ranges,
    jobs: int,
    jobs_again: int,
    peaks: bool,
    data: st.DataObject,
) -> None:
    tenant_id = data.draw(st.sampled_from(TENANTS))
    again = [event for batch in batches for event in batch if data.draw(st.booleans())]

    async def run(directory: Path) -> None:
        storage, memory = ground(directory), Memory()
        storage.clock.now_us = memory.clock.now_us = NINE + 3 * HOUR
        async with memory.store() as (oracle, _):
            for batch in batches:
                await oracle.record(batch)
        whole = await of_memory(memory, ranges, deleted=None)
        without = await of_memory(memory, ranges, deleted=tenant_id)
        async with storage.store() as (store, view):
            for batch in batches:
                await store.record(batch)
            if peaks:
                await store.compute_peaks()
            await cut_short(store.delete_tenant(tenant_id), jobs)
            found = await answers(store, view, ranges)
            assert found in (whole, without)
            await store.compute_peaks()
            assert await answers(store, view, ranges) == found
            # Half done is no problem.
            assert problems(open_database(storage.path)) == []
        is_applied = found != whole
        async with storage.store() as (store, view):
            assert await answers(store, view, ranges) == found
            if is_applied:
                async with memory.store() as (oracle, _):
                    await oracle.delete_tenant(tenant_id)
                without = await recorded_again(store, memory, again, ranges)
                assert await answers(store, view, ranges) == without
            await cut_short(store.finish_deletions(), jobs_again)
            assert await answers(store, view, ranges) in (whole, without)
        async with storage.store() as (store, view):
            # Retention does not begin before the deletion is done.
            await store.drop_received_before(NINE - 400 * 24 * HOUR)
            assert await answers(store, view, ranges) in (whole, without)
            await store.compute_peaks()
            assert await answers(store, view, ranges) in (whole, without)
            assert not await store._readers.run(deletion.under_way)
        database = open_database(storage.path)
        assert problems(database) == []

    async def recorded_again(
        store: LiveStore, memory: Memory, events: list[Event], ranges: Ranges
    ) -> dict[str, object]:
        """Record what was recorded before, which is new where it was deleted."""
        async with memory.store() as (oracle, view):
            for each in (store, oracle):
                await each.record(events)
            return await answers(oracle, view, ranges)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(Path(directory)))


def test_steps_of_a_deletion_are_small(tmp_path: Path) -> None:
    """A tenant of many rows takes many transactions, between which others record."""

    async def run() -> int:
        storage = ground(tmp_path)
        async with storage.store() as (store, _):
            events = [
                Event(
                    event_id=f"e{number}",
                    type=kind,
                    tenant_id="clinic",
                    occurred_us=NINE + number * MINUTE,
                    call_id=f"call_{number // 2}",
                )
                for number, kind in enumerate(KINDS * 50)
            ]
            await store.record(events)
            jobs = [0]
            with ends_after(10_000), pytest.MonkeyPatch.context() as patched:
                run = Writer.run

                async def counting(self: Writer, job: Callable[..., Any], **more: Any) -> Any:
                    jobs[0] += 1
                    return await run(self, job, **more)

                patched.setattr(Writer, "run", counting)
                contents = await store.delete_tenant("clinic")
            assert contents is not None
            assert (contents.events, contents.calls) == (100, 50)
            return jobs[0]

    assert asyncio.run(run()) > 100
