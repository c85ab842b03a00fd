"""An export over gRPC into a file, from where an earlier try stopped."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import grpc

from vumeter_server.commands.files.formats import STANDARD_STREAM, format_of
from vumeter_server.commands.files.sinks import Sink, Writable, open_sink
from vumeter_server.commands.files.transfers import KeptProgress, Patience, records_bar
from vumeter_server.commands.options import one_line_errors

M = TypeVar("M")

KEEP_EVERY_SECONDS = 1.0


class Exportable(Writable[M]):
    """What an export reads: a stream of messages, each with its `resume_token` and `progress`."""

    noun: str

    @abstractmethod
    def identity(self) -> str:
        """Return what distinguishes this export from others of the same server."""

    @abstractmethod
    def messages(self, resume_token: str) -> Iterator[Any]:
        """Open the stream behind the message that had this token; "" for its beginning."""


class ExportRun:
    """Writes the messages of an export; a stream that breaks is opened again behind the last."""

    def __init__(
        self,
        kind: Exportable[Any],
        sink: Sink[Any],
        done: KeptProgress,
        advance: Callable[[float, int], None],
    ) -> None:
        self._kind = kind
        self._sink = sink
        self._done = done
        self._advance = advance
        self._kept_at = time.monotonic()

    def run(self) -> None:
        """Write everything that is not written yet."""
        patience = Patience()
        while True:
            try:
                for message in self._kind.messages(self._done.text):
                    patience.renew()
                    self._write(message)
            except grpc.RpcError as error:
                patience.wait(error)
            else:
                return

    def keep(self) -> None:
        """Write down what is written, for a later try."""
        self._kept_at = time.monotonic()
        if self._sink.can_go_on:
            self._done.numbers["bytes"] = self._sink.flush()
            self._done.keep()

    def _write(self, message: Any) -> None:
        self._sink.write(message)
        self._done.text = message.resume_token
        self._done.numbers["records"] += self._kind.count(message)
        self._advance(message.progress, self._done.numbers["records"])
        if time.monotonic() - self._kept_at > KEEP_EVERY_SECONDS:
            self.keep()


def export_file(kind: Exportable[Any], name: str, file_format: str | None, target: str) -> int:
    """Write a file and say how much it holds; the file is there once it is whole."""
    chosen = format_of(name, file_format)
    is_stream = name == STANDARD_STREAM
    path = None if is_stream else Path(name)
    partial = name if path is None else str(path.with_name(f"{path.name}.partial"))
    done = KeptProgress(
        path=path and path.with_name(f"{path.name}.progress"),
        identity={"export": kind.identity(), "format": chosen, "target": target},
        numbers={"records": 0, "bytes": 0},
    )
    with one_line_errors():
        _load(done, partial)
        sink = open_sink(kind, partial, chosen, after_bytes=done.numbers["bytes"])
        try:
            with records_bar(kind.noun) as advance:
                run = ExportRun(kind, sink, done, advance)
                try:
                    run.run()
                except BaseException:
                    run.keep()
                    raise
            sink.finish()
        except BaseException:
            sink.abandon()
            raise
        if path is not None:
            Path(partial).replace(path)
        done.forget()
    click.echo(f"exported {done.numbers['records']} {kind.noun}", err=is_stream)
    return 0


def _load(done: KeptProgress, partial: str) -> None:
    """Take over what an earlier command wrote, if all of it is still there."""
    if not done.load():
        return
    path = Path(partial)
    if not path.exists() or path.stat().st_size < done.numbers["bytes"]:
        done.numbers, done.text = dict.fromkeys(done.numbers, 0), ""
        return
    click.echo(f"going on after {done.numbers['records']} records", err=True)
