"""Database files of a real server, damaged, and what a server makes of them."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc.aio
import structlog
from click import ClickException
from click.testing import CliRunner
from pydantic import SecretStr
from tests.custom_metrics.older_rollups import without_extremes
from tests.sqlite.damage_asking import (
    EXECUTIONS,
    NOW_US,
    QUERIES,
    RECORDINGS,
    TOKEN,
    Answer,
    Ask,
    calls,
    cumulative_sums,
    distributions,
    points,
    simulated_calls,
)

from vumeter_server import app
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.cli import vumeter
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.settings import Settings
from vumeter_server.sqlite import DatabaseError, open_database
from vumeter_server.sqlite.library import sqlite3

PAGE_BYTES: Final = 4096
DAMAGED: Final = ("INTERNAL", "Stored data is damaged")


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[grpc.aio.Channel]:
    """Run a server on the file, in this process."""
    settings = Settings(
        db=path,
        grpc_port=0,
        admin_token=SecretStr(TOKEN),
        call_ttl="400d",
        epoch_id="epoch-of-the-tests",
    )
    async with (
        app.running(settings, clock=lambda: NOW_US) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield channel


async def _record(path: Path, bearer: str, asks: Sequence[Ask]) -> None:
    async with served(path) as channel:
        for ask in asks:
            status, answer = await ask.answered(channel, bearer)
            assert status == "OK", answer


async def _flush(path: Path, *, everything: bool) -> None:
    database = open_database(path)
    writer, readers = database.writer(), database.readers()
    store = SqliteMetricStore(writer, readers, lambda: NOW_US, flush_at_points=1)
    try:
        await store.maintenance.flush(everything=everything)
    finally:
        readers.close()
        writer.close()


async def write(path: Path) -> str:
    """Write a database with something in every table; return the key of its organization."""
    bearer = SqliteKeyAdministration(open_database(path)).create_key("acme", Role.OWNER, None)
    for number in range(40):
        # Enough keys for more than one page.
        SqliteKeyAdministration(open_database(path)).create_key(f"other-{number}", Role.OWNER, None)
    await _record(path, bearer.bearer, [points(0, 6_000), distributions(0, 400)])
    await _flush(path, everything=True)
    runs = [
        Ask(
            method="simulation.RecordExecution",
            request={"execution": {"executionId": each, "runTestName": "Booking"}},
        )
        for each in EXECUTIONS
    ]
    simulated = [
        simulated_calls(each, 10_000 * place, count)
        for place, (each, count) in enumerate(EXECUTIONS.items())
    ]
    await _record(path, bearer.bearer, [points(6_000, 900), calls(0, 300), *runs, *simulated])
    await _record(path, bearer.bearer, [distributions(400, 50), cumulative_sums(600)])
    await _flush(path, everything=False)
    unflushed = [points(6_900 + 40 * each, 40) for each in range(10)]
    await _record(path, bearer.bearer, [*unflushed, distributions(450, 40)])
    _leave_out_extremes(path)
    # So that nothing stands in the file twice, in a page that is free now.
    open_database(path).vacuum()
    return bearer.bearer


def _leave_out_extremes(path: Path) -> None:
    """Make the rollups by one label those of an earlier version, which no day has to write anew."""

    def rewrite(connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT sums, organization_id, key, day, part FROM label_sums WHERE key = 'language'"
        ).fetchall()
        assert rows
        connection.executemany(
            "UPDATE label_sums SET sums = ?"
            " WHERE organization_id = ? AND key = ? AND day = ? AND part = ?",
            [(without_extremes(blob, 2), *place) for blob, *place in rows],
        )

    open_database(path).write(rewrite)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page of a table or an index, which begins at `start` in the file."""

    name: str
    start: int
    is_leaf: bool


def pages(path: Path) -> Iterator[Page]:
    """Yield the pages of every table and index, without those on which long rows go on."""
    data = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        roots = connection.execute(
            "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0"
        ).fetchall()
    for name, root in [("sqlite_schema", 1), *roots]:
        yield from _tree(data, name, root)


def _tree(data: bytes, name: str, number: int) -> Iterator[Page]:
    start = (number - 1) * PAGE_BYTES
    header = start + (100 if number == 1 else 0)
    kind, _, cells = struct.unpack_from(">BHH", data, header)
    is_leaf = kind in (10, 13)
    yield Page(name=name, start=start, is_leaf=is_leaf)
    if is_leaf:
        return
    for cell in struct.unpack_from(f">{cells}H", data, header + 12):
        yield from _tree(data, name, *struct.unpack_from(">I", data, start + cell))
    yield from _tree(data, name, *struct.unpack_from(">I", data, header + 8))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a damaged file."""

    refused: str
    """Why a server would not start, empty if it did."""
    queries: dict[str, tuple[Answer, ...]]
    recordings: dict[str, Answer]
    logged: Sequence[Mapping[str, Any]]
    check_status: int
    check_printed: str


async def meet(path: Path, bearer: str) -> Outcome:
    """Check a file as an operator does, then ask a server on it everything twice, and record."""
    status, printed = check(path)
    queries: dict[str, tuple[Answer, ...]] = {}
    recordings: dict[str, Answer] = {}
    refused = ""
    with structlog.testing.capture_logs() as logged:
        try:
            async with served(path) as channel:
                for _ in range(2):
                    for ask in QUERIES:
                        answer = await ask.answered(channel, bearer)
                        queries[str(ask)] = (*queries.get(str(ask), ()), answer)
                for ask in RECORDINGS:
                    recordings[ask.method] = await ask.answered(channel, bearer)
        except (DatabaseError, StorageDamaged) as error:
            refused = str(error)
    return Outcome(
        refused=refused,
        queries=queries,
        recordings=recordings,
        logged=logged,
        check_status=status,
        check_printed=printed,
    )


def check(path: Path) -> tuple[int, str]:
    """Run `vumeter db check`; return its status and what it printed."""
    done = CliRunner().invoke(vumeter, ["db", "check", "--db", str(path)], standalone_mode=False)
    if isinstance(done.exception, ClickException):
        return 2, done.exception.format_message()
    if done.exception is not None:
        raise done.exception
    return int(done.return_value or 0), done.output


Damage = Callable[[bytearray, int, random.Random], None]


def _zeros(data: bytearray, start: int, chance: random.Random) -> None:
    data[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)


def _garbage(data: bytearray, start: int, chance: random.Random) -> None:
    data[start : start + PAGE_BYTES] = chance.randbytes(PAGE_BYTES)


def _cut(data: bytearray, start: int, chance: random.Random) -> None:
    # Half a page stays: where the disk was full, or a copy was broken off.
    del data[start + PAGE_BYTES // 2 :]


PAGE_DAMAGES: Final[dict[str, Damage]] = {"zeros": _zeros, "garbage": _garbage, "cut": _cut}


def flipped(data: bytes, blobs: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a file with one flipped bit in one of some blobs.

    A long blob lies in several pages, and its rest may stand in the free part of others: so a part
    of 64 bytes is looked up that is there once.
    """
    for blob in chance.sample(blobs, len(blobs)):
        parts = [blob[first : first + 64] for first in range(0, max(len(blob) - 64, 1), 8)]
        parts = [part for part in parts if data.count(part) == 1]
        if parts:
            part = chance.choice(parts)
            damaged = bytearray(data)
            damaged[data.index(part) + chance.randrange(len(part))] ^= 1 << chance.randrange(8)
            return bytes(damaged)
    raise AssertionError("no part of a blob is found in the file")
