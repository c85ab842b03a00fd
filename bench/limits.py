"""What it costs recording to hold an organization to its limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench import messages, streams
from bench.report import Measured, share
from bench.run import Run, Section
from bench.stack import Stack, running
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.limits import SqliteLimitAdministration
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

LIMITED = "limited"
AT_LEAST = 0.97
BATCHES = 30
TURNS = 12


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="limits",
            title="Recording within limits",
            note=(
                f"{TURNS} turns of {BATCHES} batches of {messages.BATCH:,} points each, over one"
                " gRPC stream into one server: an organization with every limit set, and one with"
                " none per second. Both record the same points, and take turns; the sums of their"
                " times are compared."
            ),
            measure=measure,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Record with and without limits, in turns."""
    turns = TURNS * 3 if run.full else TURNS
    run.say("encoding for limits")
    parts = list(messages.parts(run.dataset, BATCHES * (turns + 1)))
    encoded = [messages.of_points(run.dataset, part) for part in parts]
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        database = open_database(directory / "vumeter.db")
        key = SqliteKeyAdministration(database).create_key(LIMITED, Role.OWNER, None)
        SqliteLimitAdministration(database).change_limits(
            LIMITED,
            {
                "requests_per_second": 1_000_000,
                "points_per_second": 100_000_000,
                "metrics": 1_000,
                "label_sets": 500_000,
                "label_values": 50_000,
            },
        )
        callers = {"without": stack, "with": replace(stack, bearer=key.bearer)}
        seconds = dict.fromkeys(callers, 0.0)
        points = 0
        run.say("recording with and without limits, in turns")
        for turn in range(turns + 1):
            batches = encoded[turn * BATCHES : (turn + 1) * BATCHES]
            # Who is first changes from turn to turn; the first turn is not counted.
            for name in sorted(callers, reverse=turn % 2 == 1):
                recorded = _record(callers[name], batches)
                seconds[name] += recorded.seconds if turn else 0.0
            points += recorded.points if turn else 0
    yield share(
        "gRPC, StreamPoints, every limit set",
        points / seconds["with"],
        points / seconds["without"],
        "points/s",
        "no limit per second",
        AT_LEAST,
    )


def _record(stack: Stack, batches: list[bytes]) -> streams.Recorded:
    return streams.record(stack, "StreamPoints", batches)
