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
from bench.report import Measured, bounded, value_line
from bench.run import Run, Section
from bench.stack import PYTHON, Stack, running
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

POINTS_A_SECOND = 20_000
WAIT_AT_MOST = 0.3
REST_SECONDS = 10
BATCHES = 100
ASKS = 20

NOTE = (
    f"`vumeter backup` beside a server into which a stream records {POINTS_A_SECOND:,} points/s in"
    " batches of 1,000, while another client records a point at a time over `RecordPoints` and"
    " notes how long it waits. A sync of the disk is what it waits for, so how long the disk takes"
    " for the smallest is noted beside it. Afterwards the backup is restored, and both servers are"
    " asked the same."
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
            with _stream(run, busy):
                run.say("recording at rest")
                with recorder.recording(), disk.syncing():
                    time.sleep(REST_SECONDS)
                yield value_line("recording waits, at rest, longest", max(recorder.waits), "s")
                yield value_line("the disk's own sync meanwhile, longest", disk.longest, "s")
                run.say("backup")
                with recorder.recording(), disk.syncing():
                    started = time.perf_counter()
                    _vumeter("backup", str(copy), "--db", str(path))
                    seconds = time.perf_counter() - started
                    # The log behind the snapshot is checkpointed now.
                    time.sleep(REST_SECONDS / 2)
            megabytes = copy.stat().st_size / 1e6
            yield value_line(f"backup of {run.points:,} points, {megabytes:,.0f} MB", seconds, "s")
            what = f"recording waits, beside it, longest of {len(recorder.waits):,}"
            yield value_line(what, max(recorder.waits), "s", WAIT_AT_MOST)
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


@contextlib.contextmanager
def _stream(run: Run, stack: Stack) -> Iterator[None]:
    """Record at a steady rate for the length of the context; raises what recording raises."""
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
        )

    with in_background(record):
        yield


def _vumeter(*arguments: str) -> None:
    subprocess.run(
        [PYTHON, "-m", "vumeter_server.cli", *arguments],
        env={**os.environ},
        cwd=Path(__file__).resolve().parent.parent,
        check=True,
        stdout=subprocess.DEVNULL,
    )
