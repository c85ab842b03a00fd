"""Recording the calls of a file over gRPC, in batches, from where an earlier try stopped."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import grpc
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.commands.calls_file import Record, format_of, read_calls
from vumeter_server.commands.options import one_line_errors
from vumeter_server.commands.remote import (
    CALL_TIMEOUT_SECONDS,
    Remote,
    connected,
    message_of,
    violations_of,
)
from vumeter_server.simulation.grpc_messages import write_call

BATCH_CALLS = 1_000
BATCH_BYTES = 2 * 1024 * 1024

REJECTIONS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
)
# A server that restarts is back within these; then the import goes on by itself.
RETRY_AFTER_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)

_CALL = re.compile(r"calls\[(\d+)\]\.?")


def import_calls(
    file: Path, target: str, *, tls: bool, file_format: str | None, run_test: str | None
) -> int:
    """Record a file and say how much was; return 1 if something was rejected, else 0."""
    with one_line_errors(), connected(target, tls=tls) as remote:
        done = ImportProgress.of(file, target)
        importing = SimulationImport(remote, file, done, run_test)
        if done.records:
            click.echo(f"going on after {done.records} records", err=True)
        with _progress(file) as advance:
            importing.run(read_calls(file, file_format or format_of(file)), advance)
        done.forget()
    click.echo(f"recorded {done.recorded} calls, refused {done.refused}")
    return 1 if done.refused else 0


@dataclass(kw_only=True, slots=True)
class ImportProgress:
    """How far an import of a file has come; kept beside the file until it is finished."""

    path: Path
    file: dict[str, Any]
    records: int = 0
    recorded: int = 0
    refused: int = 0

    @classmethod
    def of(cls, file: Path, target: str) -> ImportProgress:
        """Return how far the import of this very file into this server has come."""
        stat = file.stat()
        identity = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "target": target}
        done = cls(path=file.with_name(f"{file.name}.progress"), file=identity)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(done.path.read_text())
            if kept["file"] == identity:
                done.records, done.recorded, done.refused = (
                    int(kept[name]) for name in ("records", "recorded", "refused")
                )
        return done

    def keep(self) -> None:
        """Write it down; beside a file in a read-only place there is nothing to go on from."""
        kept = asdict(self)
        del kept["path"]
        with contextlib.suppress(OSError):
            new = self.path.with_name(f"{self.path.name}.new")
            new.write_text(json.dumps(kept))
            new.replace(self.path)

    def forget(self) -> None:
        """Remove it: the file is finished."""
        with contextlib.suppress(OSError):
            self.path.unlink()


class SimulationImport:
    """Sends the calls of a file batch by batch, each after the answer to the one before.

    In that order the last report of a call is the last in the file, whatever was rejected between.
    """

    def __init__(
        self, remote: Remote, file: Path, done: ImportProgress, run_test: str | None
    ) -> None:
        self._stub = SimulationServiceStub(remote.channel)
        self._metadata = remote.metadata
        self._file = file
        self._done = done
        self._run_test = run_test
        self._known_executions: set[str] = set()

    def run(self, records: Iterator[Record], advance: Callable[[int], None]) -> None:
        """Record everything that is not done yet; `advance` gets the byte that was reached."""
        batch: list[tuple[int, pb.Call]] = []
        size = read = end_byte = 0
        for record in itertools.islice(records, self._done.records, None):
            read, end_byte = read + 1, record.end_byte
            if record.call is None:
                self._reject(record.line, record.problem)
                continue
            message = write_call(record.call)
            batch.append((record.line, message))
            size += message.ByteSize()
            if len(batch) >= BATCH_CALLS or size >= BATCH_BYTES:
                self._finish(batch, read)
                advance(end_byte)
                batch, size, read = [], 0, 0
        self._finish(batch, read)
        advance(end_byte)

    def _finish(self, batch: list[tuple[int, pb.Call]], read: int) -> None:
        if self._run_test is not None:
            self._create_executions(batch)
        self._send(batch)
        self._done.records += read
        self._done.keep()

    def _send(self, batch: list[tuple[int, pb.Call]]) -> None:
        """Record a batch without the calls that the server rejects."""
        while batch:
            try:
                self._ask(
                    self._stub.RecordCalls,
                    pb.RecordCallsRequest(calls=[call for _, call in batch]),
                )
            except grpc.RpcError as error:
                rejected = self._rejected(batch, error)
                batch = [entry for place, entry in enumerate(batch) if place not in rejected]
            else:
                self._done.recorded += len(batch)
                return

    def _rejected(self, batch: list[tuple[int, pb.Call]], error: Any) -> set[int]:
        """Report the calls that an error names, and return their places in the batch."""
        if error.code() not in REJECTIONS:
            raise error
        sentences: dict[int, list[str]] = {}
        for field, sentence in violations_of(error):
            if named := _CALL.match(field):
                sentences.setdefault(int(named[1]), []).append(_CALL.sub("", sentence, count=1))
        if not sentences:
            raise error
        for place, problems in sorted(sentences.items()):
            self._reject(batch[place][0], "; ".join(problems))
        return set(sentences)

    def _reject(self, line: int, problem: str) -> None:
        self._done.refused += 1
        click.echo(f"{self._file}:{line}: {problem}", err=True)

    def _create_executions(self, batch: list[tuple[int, pb.Call]]) -> None:
        for execution_id in dict.fromkeys(call.execution_id for _, call in batch):
            if execution_id in self._known_executions:
                continue
            try:
                self._ask(
                    self._stub.GetExecutionMetrics,
                    pb.GetExecutionMetricsRequest(execution_id=execution_id),
                )
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                execution = pb.Execution(
                    execution_id=execution_id,
                    run_test_name=self._run_test or "",
                    status=pb.EXECUTION_STATUS_COMPLETED,
                )
                self._ask(
                    self._stub.RecordExecution, pb.RecordExecutionRequest(execution=execution)
                )
            self._known_executions.add(execution_id)

    def _ask(self, rpc: Any, request: Any) -> Any:
        for seconds in RETRY_AFTER_SECONDS:
            try:
                return rpc(request, metadata=self._metadata, timeout=CALL_TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                click.echo(f"{message_of(error)}; trying again", err=True)
                time.sleep(seconds)
        return rpc(request, metadata=self._metadata, timeout=CALL_TIMEOUT_SECONDS)


@contextlib.contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """Show how far a file has been read; on a terminal only."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        yield lambda end_byte: bar.update(task, completed=end_byte)
