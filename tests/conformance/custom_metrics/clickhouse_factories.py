"""How the suite opens the store on ClickHouse."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.clickhouse.places import ClickHousePlace
from tests.conformance.custom_metrics.subjects import RETENTION_DAYS, Factory, Noted, Subject

from vumeter_server.access.clickhouse.audit import ClickHouseAuditLog
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse import (
    ClickHouseMetricAdministration,
    ClickHouseMetricStore,
    admission,
)
from vumeter_server.custom_metrics.clickhouse.verification import find_problems


class ClickHouseFactory:
    """Opens the store in a database of the path's own."""

    def __init__(self, place: Callable[[], ClickHousePlace]) -> None:
        self._place = place
        self._places: dict[Path, ClickHousePlace] = {}
        self._organizations: dict[Path, dict[str, int]] = {}
        self._numbers = itertools.count(1)

    @contextlib.contextmanager
    def __call__(self, path: Path, clock: Callable[[], int]) -> Iterator[Subject]:
        """Open it, for the first time or again."""
        if path not in self._places:
            self._places[path] = self._place()
        place = self._places[path]
        organizations = self._organizations.setdefault(path, {})

        def add_organization(name: str) -> int:
            organizations[name] = next(self._numbers)
            return organizations[name]

        with contextlib.ExitStack() as stack:
            yield stack.enter_context(_opened(place, clock, organizations, add_organization))


@contextlib.contextmanager
def _opened(
    place: ClickHousePlace,
    clock: Callable[[], int],
    organizations: dict[str, int],
    add_organization: Callable[[str], int],
) -> Iterator[Subject]:
    runner = asyncio.Runner()
    opening = place.opened()
    clickhouse = runner.run(opening.__aenter__())
    audit = ClickHouseAuditLog(clickhouse, clock)
    store = ClickHouseMetricStore(clickhouse, clock, audit=audit, retention_days=RETENTION_DAYS)

    async def find(_: ClickHouse, name: str) -> int | None:
        return organizations.get(name)

    def noted(organization: str) -> list[Noted]:
        found = runner.run(
            clickhouse.query(
                f"SELECT content FROM {clickhouse.layout.reads('audit_entries')}"
                f" WHERE organization = {organizations[organization]} ORDER BY occurred_us, content"
            )
        )
        entries = [json.loads(each) for each in found.column("content").to_pylist()]
        return [
            (each["action"], each["details"])
            for each in entries
            if each["key_id"] is each["user"] is None
        ]

    async def flush() -> None:
        await store.maintenance.remove_hidden(after_us=0)

    async def drop() -> None:
        await store.maintenance.drop_expired()
        await store.maintenance.remove_hidden(after_us=0)
        await store.maintenance.forget_outdated()

    @contextlib.contextmanager
    def limited_to(metrics: int, tag_values: int) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(admission, "MAX_METRICS", metrics)
            patched.setattr(admission, "MAX_LABELS", tag_values)
            yield

    subject = Subject(
        store=store,
        usage=store.usage,
        administration=ClickHouseMetricAdministration(place.blocking, find, clock),
        add_organization=add_organization,
        flush=flush,
        drop=drop,
        noted=noted,
        problems=lambda: runner.run(find_problems(clickhouse, store)),
        failures=place.failures,
        limited_to=limited_to,
        runner=runner,
    )
    with runner:
        yield subject
        runner.run(opening.__aexit__(None, None, None))


def on(place: Callable[[], ClickHousePlace]) -> Factory:
    """Return the factory of a place."""
    return ClickHouseFactory(place)
