"""A backup beside clients that record: how long they wait, and what the copy answers."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench import messages, streams
from bench.background import in_background
from bench.deletion import Recorder
from bench.disk_sync import DiskSyncs
from bench.engines.vumeter import Vumeter
from bench.mix import MIX
from bench.over_rest import varied_asks
from bench.report import Measured, bounded, rate, value_line
from bench.run import Run, Section
from bench.stack import PYTHON, Stack, running
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

POINTS_A_SECOND = 20_000
# A stream that is kept waiting would record less.
RECORDED_AT_LEAST = 0.95 * POINTS_A_SECOND
WAIT_AT_MOST = 0.3
REST_SECONDS = 10
BATCHES = 100
ASKS = 20

NOTE = (
    f"`vumeter backup` beside a server into which a stream records {POINTS_A_SECOND:,} points/s in"
    " batches of 1,000, while another client records a point at a time over `RecordPoints`. Both"
    " note how long each batch and each point waits for its answer. A sync of the disk is what they"
    " wait for, so how long the disk takes for the smallest is noted beside it. Afterwards the"
    " backup is restored, and both servers are asked the same."
)


def sections() -> list[Section]:
    """Return the section."""
    return [Section(name="backup", title="Backup beside recording", note=NOTE, measure=measure)]


def measure(run: Run) -> Iterator[Measured]:
    """Back up beside recording, restore, and compare answers."""
    template = run.loaded(Vumeter) / "vumeter.db"
    with run.scratch() as directory:
        path, copy = directory / "vumeter.db", directory / "backup.db"
        shutil.copy(template, path)
        with running(path) as stack:
            key = SqliteKeyAdministration(open_database(path)).create_key("busy", Role.OWNER, None)
            busy = replace(stack, bearer=key.bearer)
            recorder, disk = Recorder(busy), DiskSyncs(directory)
            with _stream(run, busy) as of_stream:
                run.say("recording at rest")
                with recorder.recording(), disk.syncing():
                    time.sleep(REST_SECONDS)
                yield from _waits(recorder.waits, of_stream, "at rest")
                yield value_line("the disk's own sync meanwhile, longest", disk.longest, "s")
                run.say("backup")
                of_stream.clear()
                with recorder.recording(), disk.syncing():
                    started = time.perf_counter()
                    _vumeter("backup", str(copy), "--db", str(path))
                    seconds = time.perf_counter() - started
                    # The log behind the snapshot is checkpointed now.
                    time.sleep(REST_SECONDS / 2)
                    elapsed = time.perf_counter() - started
                    recorded = len(of_stream) * messages.BATCH / elapsed
            megabytes = copy.stat().st_size / 1e6
            yield value_line(f"backup of {run.points:,} points, {megabytes:,.0f} MB", seconds, "s")
            yield rate("recorded beside it by the stream", recorded, "points/s", RECORDED_AT_LEAST)
            yield from _waits(recorder.waits, of_stream, "beside it", WAIT_AT_MOST)
            yield value_line("the disk's own sync meanwhile, longest", disk.longest, "s")
            asks = [ask for query in MIX for ask in varied_asks(query, run.dataset)[:ASKS]]
            run.say(f"asking {len(asks)} questions of both")
            answers = [stack.get(ask) for ask in asks]
        restored = directory / "restored.db"
        started = time.perf_counter()
        _vumeter("restore", str(copy), "--db", str(restored))
        yield value_line("restore", time.perf_counter() - started, "s")
        with running(restored) as stack:
            same = sum(stack.get(ask) == answer for ask, answer in zip(asks, answers, strict=True))
        yield bounded(
            f"answers that are the same, of {len(asks)}",
            same,
            "",
            len(asks),
            higher_is_better=True,
        )


def _waits(
    of_points: list[float], of_stream: list[float], when: str, at_most: float | None = None
) -> Iterator[Measured]:
    for what, waits in (("a point", of_points), ("a batch of the stream", of_stream)):
        longest = f"{what} waits, {when}, longest of {len(waits):,}"
        yield value_line(longest, max(waits), "s", at_most)


@contextlib.contextmanager
def _stream(run: Run, stack: Stack) -> Iterator[list[float]]:
    """Record at a steady rate for the length of the context; give how long each batch waits.

    Raises what recording raises.
    """
    waits: list[float] = []
    dataset = messages.as_of_now(
        messages.first_points(run.dataset, BATCHES), int(time.time()) * 1_000_000
    )
    encoded = [messages.of_columns(dataset, part) for part in messages.parts(dataset, BATCHES)]

    def record(stop: threading.Event) -> None:
        batches = itertools.takewhile(lambda _: not stop.is_set(), itertools.cycle(encoded))
        streams.record(
            stack,
            "StreamColumns",
            batches,
            batches_a_second=POINTS_A_SECOND / messages.BATCH,
            waits=waits,
        )

    with in_background(record):
        yield waits


def _vumeter(*arguments: str) -> None:
    subprocess.run(
        [PYTHON, "-m", "vumeter_server.cli", *arguments],
        env={**os.environ},
        cwd=Path(__file__).resolve().parent.parent,
        check=True,
        stdout=subprocess.DEVNULL,
    )
